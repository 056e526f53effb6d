#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

/*
 * Starts the program, and each of its threads. All that either runs is in one file, which `npm run build` makes (build/bundle.ts):
 * hundreds of small ones take longer to find and compile than everything that a start has to do. Beside it lies what V8 has
 * compiled of it; where that is missing, or of another version of Node, V8 compiles anew.
 */
const program = new URL('postern.cjs', import.meta.url)
const source = readFileSync(program, 'latin1') // ASCII, but for comments

/** Bytes of the digest that ends the program and begins what was compiled of it. */
const DIGEST = 64

function compiled(): Buffer | undefined {
  try {
    const cache = readFileSync(new URL('postern.cache', import.meta.url))
    const isOfThis = source.endsWith(`${cache.toString('latin1', 0, DIGEST)}\n`)
    return isOfThis ? cache.subarray(DIGEST) : undefined
  } catch {
    return undefined
  }
}

const cachedData = compiled()
const script = new Script(source, { filename: fileURLToPath(program), ...(cachedData && { cachedData }) })
script.runInThisContext()(createRequire(import.meta.url), import.meta.url)
