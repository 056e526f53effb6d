import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Ended, ROOT, run, type Scope, temporaryDirectory } from './daemon.ts'

/** Blocks of TypeScript below a heading of the README. */
export function blocksBelow(heading: string): string[] {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const [, section = ''] = readme.split(`${heading}\n`)
  const [own = ''] = section.split(/^#+ /m)
  return [...own.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block]) => block as string)
}

/** The folder of somebody's program, which has this repository as its package `postern`. */
export function programFolder(t: Scope): string {
  const folder = temporaryDirectory(t)
  mkdirSync(join(folder, 'node_modules/@types'), { recursive: true })
  symlinkSync(ROOT, join(folder, 'node_modules/postern'))
  symlinkSync(join(ROOT, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  return folder
}

/** What tsc says to a program, as strict as can be. `lib`: what it runs in. */
export function check(
  folder: string,
  program: string,
  { types = ['node'], lib = ['es2023'] }: { types?: string[]; lib?: string[] } = {},
): Promise<Ended> {
  writeFileSync(join(folder, 'program.ts'), program)
  const compilerOptions = {
    target: 'es2023',
    lib,
    module: 'nodenext',
    types,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
    noEmit: true,
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }))
  return run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder], { cwd: folder })
}
