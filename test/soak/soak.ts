import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startBare } from '../support/bare.ts'
import {
  type Daemon,
  postern,
  type Scope,
  startDaemon,
  temporaryDirectory,
  until,
} from '../support/daemon.ts'
import { make, ok } from '../support/lives.ts'
import { Address, makeCertificate } from '../support/remote.ts'
import { within } from '../support/scope.ts'
import { about } from '../support/stored.ts'
import { mint } from '../support/talk.ts'
import { vitalsOf } from '../support/vitals.ts'
import type { Hand } from './careers.ts'
import { type Ground, openDoors, show } from './doors.ts'
import { Known, Register } from './register.ts'
import { type Allowances, broken } from './rules.ts'
import { type Sample, sample } from './samples.ts'
import { type Housekeeping, keepHouse } from './steward.ts'
import { toil } from './toil.ts'

export interface Plan {
  readonly minutes: number
  readonly intervals: number
  readonly workers: number
  readonly allowances: Allowances
  /** What is to have been seen of sweeps, cuts, reloads and backups. */
  readonly least: number
}

export interface Outcome {
  readonly samples: readonly Sample[]
  readonly register: Register
  readonly kept: Housekeeping
  /** Which rules broke; empty: none. */
  readonly faults: readonly string[]
}

/**
 * What the daemon does once a minute it does every half second: a run is to see it many times. And garbage is taken away
 * every few seconds: V8 does so when it likes, in two minutes hardly ever, and what is looked for is what nobody can take away.
 */
const HURRY = `
  const { setInterval } = globalThis
  globalThis.setInterval = (work, ms, ...rest) => setInterval(work, ms === 60_000 ? 500 : ms, ...rest)
  require('node:v8').setFlagsFromString('--expose-gc')
  const collect = require('node:vm').runInNewContext('gc')
  setInterval(() => collect(), 3_000).unref()`

/** Two that differ, to reload between. By `idle` WebSockets are pinged; with the default, once a minute as well. */
const configs = (more: string) =>
  [900, 1000].map(
    (batch) => `
[limits]
batch = ${batch}
idle = "3m"
[tokens]
retain_expired = "1s"
last_access_flush = "500ms"
[audit]
retain = "3s"
[rate]
failures_per_address = "none"
${more}`,
  )

/** A daemon under mixed load for a while, and what became of it. */
export async function soak(scope: Scope, plan: Plan): Promise<Outcome> {
  const directory = temporaryDirectory(scope)
  const { cert, key } = await makeCertificate(directory, 'soak')
  const secure = new Address(cert)
  const proxied = join(directory, 'proxied.sock')
  const remote = `[[remote]]\nlisten = "${secure}"\ncert = "${cert}"\nkey = "${key}"\n[[remote]]\nlisten = "unix:${proxied}"\n`
  const [first = '', ...others] = configs(remote)
  const start = () => startDaemon(scope, { directory, config: first, env: hurried(directory) })
  const daemon = await start()
  const ground: Ground = { daemon, admin: await mint(daemon), secure, proxied }
  const register = new Register()
  for (let n = 0; n < 30; n++) register.living.push(await lasting(ground))
  const quiet = vitalsOf(daemon.pid)
  const { samples, kept } = await load(scope, ground, register, plan, [...others, first])
  const faults = [
    ...broken(samples, plan.allowances),
    ...neglected(kept, plan.least),
    ...(await leftOpen(daemon, quiet.sockets)),
    ...(await unswept(ground)),
  ]
  faults.push(...(await restart(daemon, start, ground, register)))
  if (register.complaintCount > 0) faults.push(`${register.complaintCount} answers were wrong`)
  return { samples, register, kept, faults: [...faults, ...register.complaints] }
}

function hurried(directory: string): Record<string, string> {
  const file = join(directory, 'hurry.cjs')
  writeFileSync(file, HURRY)
  return { NODE_OPTIONS: `--require ${file}` }
}

async function lasting({ daemon, admin }: Ground): Promise<Known> {
  const { token, tokenid } = await make(daemon, admin)
  return new Known(token, tokenid)
}

function load(_scope: Scope, ground: Ground, register: Register, plan: Plan, toReload: readonly string[]) {
  return within(async (own) => {
    const { socket: bare } = await startBare(own, join(ground.daemon.directory, 'bare.sock'))
    const hands: Hand[] = []
    for (let n = 0; n <= plan.workers; n++)
      hands.push({ ...ground, register, doors: await openDoors(own, ground) })
    const [steward, ...others] = hands as [Hand, ...Hand[]]
    const intervalMs = (plan.minutes * 60_000) / plan.intervals
    let going = true
    const work = others.map((hand) => toil(hand, () => going))
    const everyMs = Math.min(2_000, (plan.minutes * 60_000) / (plan.least * 4))
    const house = keepHouse(steward, toReload, everyMs, () => going)
    try {
      const { intervals } = plan
      const samples = await sample(ground.daemon, ground.admin, bare, { intervals, intervalMs })
      going = false
      await Promise.all(work)
      return { samples, kept: await house }
    } finally {
      going = false
    }
  })
}

function neglected(kept: Housekeeping, least: number): string[] {
  return Object.entries(kept).flatMap(([what, times]) =>
    times >= least ? [] : [`of ${what} only ${times} were seen, not ${least}`],
  )
}

async function leftOpen(daemon: Daemon, quiet: number): Promise<string[]> {
  try {
    await until('sockets are closed', () => vitalsOf(daemon.pid).sockets <= quiet)
    return []
  } catch {
    return [`${vitalsOf(daemon.pid).sockets} sockets are open after everybody has gone, ${quiet} before`]
  }
}

/** Of what was minted, only what lives is left, and what ended just now. */
async function unswept({ daemon, admin }: Ground): Promise<string[]> {
  const now = Math.floor(Date.now() / 1000)
  const count = () => ok<string>(daemon, 'token.get', { expired_at: now, countOutput: true }, admin)
  try {
    await until('the expired are swept', async () => Number(await count()) === 0)
    return []
  } catch {
    return [`${await count()} expired tokens are not swept`]
  }
}

/** Stops it, has the store checked, and starts it again: it has not forgotten who lives and who is dead. */
async function restart(
  daemon: Daemon,
  start: () => Promise<Daemon>,
  ground: Ground,
  register: Register,
): Promise<string[]> {
  const faults: string[] = []
  const code = await daemon.stop()
  if (code !== 0) faults.push(`the daemon ended with ${code}`)
  const errors = daemon
    .log()
    .split('\n')
    .filter((line) => /"level":(50|60)/.test(line))
  if (errors.length > 0) faults.push(`the log has ${errors.length} errors: ${errors[0]}`)
  const checked = await about(daemon, 'check')
  if (checked.code !== 0) faults.push(`postern check: ${checked.stdout} ${checked.stderr}`)
  const again = await start()
  await within(async (scope) => {
    const doors = await openDoors(scope, { ...ground, daemon: again })
    const shown = [...register.living, ...register.dead]
    for (const [at, known] of shown.entries())
      await show(known, doors[at % doors.length] as (typeof doors)[number], register)
  })
  const verified = await postern(['audit', 'verify', '--socket', again.socket])
  if (verified.code !== 0) faults.push(`postern audit verify: ${verified.stdout} ${verified.stderr}`)
  await again.stop()
  return faults
}
