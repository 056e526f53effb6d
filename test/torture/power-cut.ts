import { type Daemon, type Options, type Scope, startDaemon, until } from '../support/daemon.ts'
import { Disk } from './disk.ts'
import { inspectStore } from './inspection.ts'
import { Ledger } from './ledger.ts'
import { startLoad } from './load.ts'
import { judge } from './verdict.ts'

/** What one cut showed. */
export interface Cut {
  readonly number: number
  /** Changes since the cut before this one. */
  readonly acknowledged: number
  readonly unknown: number
  /** Tokens that were looked at. */
  readonly tokens: number
  /** Empty: nothing is lost. */
  readonly losses: readonly string[]
}

const DISK_MIB = 1024
/** Ended tokens that are looked at again after each cut. */
const ENDED = 500

/**
 * Cut after cut on one file system: a daemon under load, the power gone at some moment, the disk mounted again, the
 * daemon started on it, everything that was ever acknowledged looked at. `how`: how the daemon is started under load.
 */
export async function* powerCuts(t: Scope, cuts: number, how: Options = {}): AsyncGenerator<Cut> {
  const disk = Disk.make(t, DISK_MIB)
  const { directory } = disk
  const ledger = new Ledger()
  const fresh = await startDaemon(t, { directory })
  await fresh.stop() // what a first start writes is durable in any case: it is not what is tried here
  let daemon = await startDaemon(t, { ...how, directory })
  for (let number = 1; number <= cuts; number++) {
    const before = { acknowledged: ledger.acknowledged, unknown: ledger.unknown }
    await runUntilCut(daemon, disk, ledger)
    await disk.unmount()
    disk.mount()
    const { losses, ...examined } = await examine(t, { ...how, directory }, ledger)
    yield {
      number,
      acknowledged: ledger.acknowledged - before.acknowledged,
      unknown: ledger.unknown - before.unknown,
      tokens: ledger.lines.length,
      losses,
    }
    if (examined.daemon === undefined) throw new Error(losses.join('\n'))
    daemon = examined.daemon
    ledger.forgetEnded(ENDED)
  }
  await daemon.stop()
}

/** At some moment; writes that come after it are tried too, and refused. */
async function runUntilCut(daemon: Daemon, disk: Disk, ledger: Ledger): Promise<void> {
  const load = await startLoad(daemon, ledger)
  const enough = ledger.acknowledged + 20 + Math.floor(Math.random() * 300)
  try {
    await until('some work is done', () => ledger.acknowledged > enough, 60_000)
    disk.cutPower()
    await until('a write fails', async () => !(await load.tryOne()))
  } finally {
    await daemon.stop('SIGKILL')
    await load.stop()
  }
}

/** What the disk holds, and then what a daemon makes of it. Without a daemon: it does not start. */
export async function examine(
  t: Scope,
  options: Options & { readonly directory: string },
  ledger: Ledger,
): Promise<{ losses: string[]; daemon?: Daemon }> {
  try {
    const faults = await inspectStore(`${options.directory}/state`)
    const daemon = await startDaemon(t, options)
    return { daemon, losses: [...faults, ...(await judge(daemon, ledger))] }
  } catch (error) {
    return { losses: [`the daemon does not start: ${(error as Error).message}`] }
  }
}
