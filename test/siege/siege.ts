import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startBare } from '../support/bare.ts'
import { type Daemon, type Scope, startDaemon, temporaryDirectory, until } from '../support/daemon.ts'
import { configure, SECRET } from '../support/datafor.ts'
import { make } from '../support/lives.ts'
import { Address, makeCertificate } from '../support/remote.ts'
import { mint } from '../support/talk.ts'
import { memoryOf, vitalsOf } from '../support/vitals.ts'
import { Attacker } from './attacker.ts'
import type { Target } from './attacks/attack.ts'
import { Regulars } from './regulars.ts'

/** Attacks as they are meant. */
export const WHOLE = { scale: 1, most: Number.POSITIVE_INFINITY }

/** Who is attacked, and those who are to be served. */
export interface Fortress {
  readonly pid: number
  readonly regulars: Regulars
  readonly attacker: Attacker
  /** Sockets when nobody but the regulars is there. */
  readonly sockets: number
}

const PEAK_EVERY_MS = 25
/** A bound, not a measurement. */
const PATIENCE_MS = 20_000
/** As many files as the kernel lets us: those of 10,000 connections, and more. */
const MANY_FILES = ['sh', '-c', 'ulimit -n "$(ulimit -Hn)" && exec "$@"', 'sh']

/** A daemon as it is installed, but for doors where an attacker may come from, and `limits`. */
export async function build(
  scope: Scope,
  extent: Pick<Target, 'scale' | 'most'>,
  limits = '',
): Promise<Fortress & { readonly daemon: Daemon }> {
  const directory = temporaryDirectory(scope)
  const { cert, key } = await makeCertificate(directory, 'siege')
  const secure = new Address(cert)
  const proxied = join(directory, 'proxied.sock')
  const config = `
[limits]
${limits}
[[remote]]
listen = "${secure}"
cert = "${cert}"
key = "${key}"
[[remote]]
listen = "unix:${proxied}"
trusted_proxies = ["unix"]
`
  const daemon = await startDaemon(scope, { directory, config, under: MANY_FILES })
  const admin = await mint(daemon)
  await configure(daemon, admin, { name: 'siege', secret: SECRET })
  const { token, tokenid } = await make(daemon, admin)
  const { socket, port, pid } = daemon
  const wanted = `"tokenid":"${tokenid}"`
  const regulars = await Regulars.start(scope, { socket, port, token, wanted })
  const target: Target = { socket, port, secure: secure.options, proxied, ...extent }
  return { daemon, ...(await man(scope, pid, regulars, target)) }
}

/** An HTTP server of Node's own instead: what an attack costs whoever does nothing about it, and nothing else. */
export async function buildBare(scope: Scope): Promise<Fortress> {
  const { pid, socket, port } = await startBare(scope, join(temporaryDirectory(scope), 'bare.sock'))
  const regulars = await Regulars.start(scope, { socket, port, token: 'any', wanted: '"result"' })
  return man(scope, pid, regulars, { socket, port, secure: undefined, proxied: socket, ...WHOLE })
}

async function man(scope: Scope, pid: number, regulars: Regulars, target: Target): Promise<Fortress> {
  await regulars.closed(500, PATIENCE_MS) // compilers and caches are cold, and all of them have to be there
  return { pid, regulars, attacker: Attacker.start(scope, target), sockets: vitalsOf(pid).sockets }
}

/** Whether all that was opened for attackers is closed again. The regulars have to be there. */
export async function isFreed({ pid, sockets }: Fortress, milliseconds: number): Promise<boolean> {
  try {
    await until('what an attack opened is closed', () => vitalsOf(pid).sockets <= sockets, milliseconds)
    return true
  } catch {
    return false
  }
}

/** Work with a look at the daemon's memory again and again: the most that was seen, in bytes. */
export async function withPeak<T>(pid: number, work: () => Promise<T>): Promise<[T, peak: number]> {
  let peak = memoryOf(pid)
  let over = false
  const watch = (async () => {
    while (!over) {
      peak = Math.max(peak, memoryOf(pid))
      await pause(PEAK_EVERY_MS)
    }
  })()
  try {
    return [await work(), Math.max(peak, memoryOf(pid))]
  } finally {
    over = true
    await watch
  }
}
