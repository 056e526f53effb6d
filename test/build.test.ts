import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Script } from 'node:vm'
import { type Ended, ROOT, run, type Scope, temporaryDirectory } from './support/daemon.ts'

const PARTS = ['main.js', 'postern.cjs', 'postern.cache']
/** What each of two digests takes in front of what was compiled. */
const DIGEST = 64

/** The package as it is installed, to be damaged. */
function installed(t: Scope): string {
  const folder = temporaryDirectory(t)
  mkdirSync(join(folder, 'dist'))
  for (const part of PARTS) cpSync(join(ROOT, 'dist', part), join(folder, 'dist', part))
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/** One bit of it is another one: V8 would crash, or run something else. */
function flipped(cache: Buffer, part: number): Buffer {
  const damaged = Buffer.from(cache)
  const at = Math.floor(part * cache.length)
  damaged.writeUInt8(damaged.readUInt8(at) ^ 0x10, at)
  return damaged
}

function version(folder: string): Promise<Ended> {
  return run(process.execPath, [join(folder, 'dist/main.js'), '--version'])
}

const { version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

describe('the built program', () => {
  it('brings along what V8 has compiled of it, and V8 takes it', () => {
    const [source, cache] = ['postern.cjs', 'postern.cache'].map((part) =>
      readFileSync(join(ROOT, 'dist', part)),
    )
    assert.ok(source && cache)
    assert.ok(source.toString('latin1').endsWith(`//${cache.toString('latin1', 0, DIGEST)}\n`))
    const script = new Script(source.toString('latin1'), { cachedData: cache.subarray(2 * DIGEST) })
    assert.equal(script.cachedDataRejected, false)
  })

  it('runs without it, and with one that is of no use', async (t) => {
    const folder = installed(t)
    const cache = join(folder, 'dist/postern.cache')
    const whole = readFileSync(cache)
    const damages = [
      () => rmSync(cache),
      () => writeFileSync(cache, ''),
      () => writeFileSync(cache, whole.subarray(0, DIGEST)),
      () => truncateSync(cache, 10_000),
      () => truncateSync(cache, whole.length - 1),
      ...[0.1, 0.3, 0.5, 0.7, 0.9].map((part) => () => writeFileSync(cache, flipped(whole, part))),
    ]
    for (const damage of damages) {
      writeFileSync(cache, whole)
      damage()
      assert.deepEqual(await version(folder), { code: 0, stdout: `${VERSION}\n`, stderr: '' })
    }
  })

  it('does not run what was compiled of another one', async (t) => {
    const folder = installed(t)
    const program = join(folder, 'dist/postern.cjs')
    const source = readFileSync(program, 'latin1')
    const other = source
      .replace('what shall it do?', 'what shall it be?')
      .replace(/\/\/\w{64}\n$/, `//${'0'.repeat(DIGEST)}\n`)
    assert.ok(other !== source && other.length === source.length)
    writeFileSync(program, other, 'latin1')
    const { stderr } = await run(process.execPath, [join(folder, 'dist/main.js')])
    assert.match(stderr, /^postern: what shall it be\?/)
  })

  it('has all packages in itself but for binaries, and what ws goes without', () => {
    const program = readFileSync(join(ROOT, 'dist/postern.cjs'), 'utf8')
    const required = [...program.matchAll(/(?:\brequire|\(moduleUrl\))\("([^"]+)"\)/g)]
    const outside = new Set(required.map(([, name = '']) => name).filter((name) => !isBuiltin(name)))
    outside.delete('node:sqlite') // of newer Nodes, and for what undici does not do here
    assert.deepEqual([...outside].sort(), ['bufferutil', 'koffi', 'utf-8-validate'])
    assert.equal(program.match(/classic-level\/binding\.js/g)?.length, 1)
  })
})
