import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { ROOT } from './support/daemon.ts'

const SRC = join(ROOT, 'src')
/** From the cellar up; what stands directly in src/, cli/ and workers/, is on top. linux/ and client/ stand beside protocol/. */
const FLOORS = ['protocol', 'store', 'auth', 'methods', 'server', '']
const BESIDE: Readonly<Record<string, string>> = {
  linux: 'protocol',
  client: 'protocol',
  build: '',
  cli: '',
  workers: '',
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => join(SRC, path))

/** All but what only makes a program of it. */
const running = files.filter((file) => !relative(SRC, file).startsWith('build/'))

const imports = new Map(files.map((file) => [file, importsOf(file)]))

function importsOf(file: string): string[] {
  const source = readFileSync(file, 'utf8')
  return [...source.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, path]) =>
    resolve(dirname(file), path as string),
  )
}

function floorOf(file: string): number {
  const [folder = ''] = relative(SRC, file).split('/').slice(0, -1)
  const floor = FLOORS.indexOf(BESIDE[folder] ?? folder)
  assert.ok(floor >= 0, `${file} stands on no floor`)
  return floor
}

describe('the house', () => {
  it('has files whose imports were found', () => {
    assert.ok(files.length > 40 && [...imports.values()].flat().length > 100)
  })

  it('a file imports from its own floor and those below, never up', () => {
    for (const [file, targets] of imports) {
      for (const target of targets) {
        assert.ok(
          floorOf(target) <= floorOf(file),
          `${relative(SRC, file)} imports ${relative(SRC, target)}, which is on a higher floor`,
        )
      }
    }
  })

  it('has no cycles', () => {
    const finished = new Set<string>()
    const visit = (file: string, path: string[]): void => {
      assert.ok(
        !path.includes(file),
        `a cycle: ${[...path, file].map((name) => relative(SRC, name)).join(' → ')}`,
      )
      if (finished.has(file)) return
      for (const target of imports.get(file) ?? []) visit(target, [...path, file])
      finished.add(file)
    }
    for (const file of files) visit(file, [])
  })

  it('knows koffi in linux/ alone', () => {
    const knowing = running.filter((file) => /\bkoffi\b/.test(readFileSync(file, 'utf8')))
    for (const file of knowing) assert.match(relative(SRC, file), /^linux\//)
    assert.equal(knowing.length, 1)
  })

  it('has a client that loads nothing of the daemon, and no package before it is known to run in Node', () => {
    for (const file of running) {
      const inside = relative(SRC, file).startsWith('client/')
      for (const target of imports.get(file) ?? []) {
        if (!inside) assert.doesNotMatch(relative(SRC, target), /^client\//, `${file} imports the client`)
        else assert.match(relative(SRC, target), /^(client|protocol)\//)
      }
      if (!inside) continue
      const statements = /^(?:im|ex)port (type )?(?:\{[^}]*\}|\*|\w+) from '([^']+)'$/gm
      for (const [, isType, target = ''] of readFileSync(file, 'utf8').matchAll(statements))
        assert.ok(
          isType !== undefined || /^\.\/[\w-]+\.ts$/.test(target),
          `${relative(SRC, file)} loads ${target}`,
        )
    }
  })

  it('has no file of more than 250 lines, and no room without a name of its own', () => {
    for (const file of files) {
      assert.ok(readFileSync(file, 'utf8').split('\n').length <= 250, `${relative(SRC, file)} is too long`)
      assert.doesNotMatch(file, /\/(utils?|helpers?|common|misc|types)\.ts$/)
    }
  })
})
