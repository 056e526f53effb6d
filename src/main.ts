#!/usr/bin/env node
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

/*
 * Starts the program, and each of its threads. All that either runs is in one file, which `npm run build` makes (build/bundle.ts):
 * hundreds of small ones take longer to find and compile than everything that a start has to do. Beside it lies what V8 has
 * compiled of it; where that is missing, or of another version of Node, V8 compiles anew. It does not notice damage to it.
 */
const program = new URL('postern.cjs', import.meta.url)
const source = readFileSync(program, 'latin1') // ASCII, but for comments

/** Characters of a digest: of one that ends the program and begins the file of what was compiled of it, and of that itself. */
const DIGEST = 64

function compiled(): Buffer | undefined {
  try {
    const cache = readFileSync(new URL('postern.cache', import.meta.url))
    const isOfThis = source.endsWith(`${cache.toString('latin1', 0, DIGEST)}\n`)
    const data = cache.subarray(2 * DIGEST)
    const isWhole = cache.toString('latin1', DIGEST, 2 * DIGEST) === hash('sha256', data)
    return isOfThis && isWhole ? data : undefined
  } catch {
    return undefined
  }
}

const cachedData = compiled()
const script = new Script(source, { filename: fileURLToPath(program), ...(cachedData && { cachedData }) })
script.runInThisContext()(createRequire(import.meta.url), import.meta.url)
