import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

refuseOldBuild()

/** `tsc` alone leaves the program as it was, and tests would say nothing about the source. */
function refuseOldBuild(): void {
  const changed = (file: string) => statSync(join(ROOT, file)).mtimeMs
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  const built = changed('dist/postern.cjs')
  const newer = sources.find((file) => file.endsWith('.ts') && changed(join('src', file)) > built)
  assert.equal(newer, undefined, `${newer} is newer than the program: npm run build`)
}

/** What ends some time: a test, or (with node:test's own `after`) a whole file. */
export interface Scope {
  after(cleanUp: () => void): void
}

/** A folder of the test's own, where no other test's daemon is; gone when the test ends. */
export function temporaryDirectory(t: Scope): string {
  const directory = mkdtempSync(join(tmpdir(), 'postern-'))
  t.after(() => remove(directory))
  return directory
}

/** node:test cleans up in the order of registration: a daemon that still runs may write while its folder is taken away. */
function remove(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true })
  } catch {
    process.once('exit', () =>
      rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 }),
    )
  }
}

export interface Options {
  /** Where it lives; a new folder where left out. */
  readonly directory?: string
  /** The text of its configuration file. */
  readonly config?: string
  /** Of loopback; a free one where left out. */
  readonly port?: number
  readonly env?: Record<string, string>
  /** Program and arguments in front of node, such as a tracer. */
  readonly under?: readonly string[]
}

/** A running daemon: the built program, on a real socket in a folder of its own. */
export interface Daemon {
  readonly directory: string
  readonly stateDir: string
  readonly socket: string
  readonly port: number
  readonly process: ChildProcess
  readonly pid: number
  /** What it has logged until now. */
  log(): string
  /** Sends a signal and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** What a process that ended by itself left behind. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export function serveArguments(directory: string, config?: string, port = 0): string[] {
  const file = join(directory, 'postern.toml')
  if (config !== undefined) writeFileSync(file, config)
  const places = [
    '--state-dir',
    join(directory, 'state'),
    '--socket',
    join(directory, 's.sock'),
    '--port',
    String(port),
  ]
  return [MAIN, 'serve', ...places, ...(config === undefined ? [] : ['--config', file])]
}

export async function startDaemon(t: Scope, options: Options = {}): Promise<Daemon> {
  const directory = options.directory ?? temporaryDirectory(t)
  const [program, ...args] = [
    ...(options.under ?? []),
    process.execPath,
    ...serveArguments(directory, options.config, options.port),
  ]
  const child = spawn(program as string, args, {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = gather(child)
  t.after(() => child.kill('SIGKILL'))
  const line = await Promise.race([firstLine(child, output), once(child, 'close')])
  if (typeof line !== 'string') throw new Error(`the daemon ended at its start: ${output.stderr}`)
  const { socket, port, pid } = JSON.parse(line) as { socket: string; port: number; pid: number }
  return {
    directory,
    stateDir: join(directory, 'state'),
    socket,
    port,
    process: child,
    pid,
    log: () => output.stderr,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) {
        process.kill(pid, signal)
        await once(child, 'close')
      }
      return child.exitCode
    },
  }
}

/** Starts a daemon that is expected to refuse, and returns what it says. */
export async function refusal(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(process.execPath, args)
  assert.deepEqual([code, stdout], [1, ''], stderr)
  assert.match(stderr, /^postern: .+\n(hint: .+\n)?$/)
  return stderr
}

/** Runs a program to its end. */
export async function run(
  command: string,
  args: readonly string[],
  options: { input?: string; env?: Record<string, string>; uid?: number; gid?: number; cwd?: string } = {},
): Promise<Ended> {
  const { input, env, ...rest } = options
  const child = spawn(command, args, { ...rest, env: { ...process.env, ...env }, stdio: 'pipe' })
  const output = gather(child)
  child.stdin.on('error', () => {}) // it may end without reading
  child.stdin.end(input ?? '')
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...output }
}

/** Runs the built `postern`. */
export function postern(args: readonly string[], options: Parameters<typeof run>[2] = {}): Promise<Ended> {
  return run(process.execPath, [MAIN, ...args], options)
}

function gather(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text
  })
  return output
}

function firstLine(child: ChildProcess, output: { stdout: string }): Promise<string> {
  return new Promise((resolve) => {
    child.stdout?.on('data', () => {
      const end = output.stdout.indexOf('\n')
      if (end >= 0) resolve(output.stdout.slice(0, end))
    })
  })
}

/** Waits until something holds; a bound, not a measurement. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  milliseconds = 10_000,
): Promise<void> {
  const deadline = Date.now() + milliseconds
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`did not come about: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Whether somebody listens on a Unix socket; its file is there a moment earlier. Without connecting, which may be what is waited for. */
export function isListening(socket: string): boolean {
  const listens = /^\S+ \S+ \S+ 00010000 \S+ \S+ +\S+ (.+)$/gm // its flags: SO_ACCEPTCON
  return [...readFileSync('/proc/net/unix', 'utf8').matchAll(listens)].some(([, path]) => path === socket)
}

/** Waits for a line of the log: it may come after the answer that it is about. */
export function logged(daemon: Pick<Daemon, 'log'>, pattern: RegExp): Promise<void> {
  return until(`${pattern} in the log`, () => pattern.test(daemon.log()))
}
