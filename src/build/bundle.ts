import { spawnSync } from 'node:child_process'
import { createHash, hash } from 'node:crypto'
import { readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'
import { build, type PluginBuild } from 'esbuild'

/*
 * `npm run build`: makes what main.ts runs, out of postern.ts and all that it imports: dist/postern.cjs, one file that reads
 * like its source, and dist/postern.cache, what V8 has compiled of it.
 */

/** They stay outside: a binary, with what chooses the right one for the machine; and what ws looks for, and goes without. */
const external = ['koffi', 'bufferutil', 'utf-8-validate']

const { outputFiles } = await build({
  entryPoints: ['src/postern.ts'],
  bundle: true,
  write: false,
  platform: 'node',
  target: 'node20.19',
  external,
  plugins: [{ name: 'binding', setup: findBinding }],
  // A function, which is given what a module would have. One without import(): compiled by itself, it belongs to no module.
  format: 'cjs',
  banner: { js: '(function (require, moduleUrl) {' },
  footer: { js: '})' },
  define: { 'import.meta.url': 'moduleUrl' },
  supported: { 'dynamic-import': false },
  logLevel: 'warning',
})

/** LevelDB's binary stays outside as well. classic-level names it by a path, which is another one from here: it lies where level finds it. */
function findBinding({ onResolve, onLoad }: PluginBuild): void {
  onResolve({ filter: /^\.\/binding$/ }, ({ path }) => ({ path, namespace: 'binding' }))
  const contents = `const { resolve } = require
    module.exports = require(resolve('classic-level/binding.js', { paths: [resolve('level')] }))`
  onLoad({ filter: /./, namespace: 'binding' }, () => ({ contents }))
}

const text = outputFiles[0]?.text ?? ''
const digest = createHash('sha256').update(process.version).update(text).digest('hex')
if (isThere()) utimesSync('dist/postern.cjs', new Date(), new Date())
else make()

/** Then it stays as it is: daemons may be starting from it. */
function isThere(): boolean {
  try {
    const cache = readFileSync('dist/postern.cache')
    const compiled = cache.subarray(2 * digest.length)
    const source = readFileSync('dist/postern.cjs', 'latin1')
    return (
      source.endsWith(`//${digest}\n`) &&
      cache.toString('latin1', 0, 2 * digest.length) === digest + hash('sha256', compiled) &&
      new Script(source, { cachedData: compiled }).cachedDataRejected === false // as another flag of V8 would have it
    )
  } catch {
    return false
  }
}

function make(): void {
  rmSync('dist/postern.cache', { force: true })
  writeFileSync('dist/postern.cjs', `${text}//${digest}\n`)
  // In a process of its own: it ends as daemons do.
  const compile = fileURLToPath(new URL('compile.js', import.meta.url))
  const { status } = spawnSync(process.execPath, [compile, digest], {
    env: { PATH: process.env.PATH, LOG_LEVEL: 'fatal' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0)
    process.stderr.write('no daemon starts here, so nothing is compiled in advance: starts take longer\n')
}
