import { Command } from 'commander'
import { type Exported, exported, Import, isExported } from '../../auth/transfer.ts'
import { Complaint } from '../../protocol/complaint.ts'
import { FORMAT, fingerprint } from '../../store/format.ts'
import { eitherWay } from '../either-way.ts'
import {
  hasPepper,
  isRunning,
  offline,
  type Places,
  placesOf,
  readPepperOf,
  type StateOption,
} from '../offline.ts'
import { type SessionOptions, withSession } from '../session.ts'
import { print, printJson, wantsJson } from '../terminal.ts'
import { BackupReader, damaged, encodeBackup, type Header } from './format.ts'
import { readStream, writeStream } from './sink.ts'
import { fromDaemon, fromStore, type Source, using } from './source.ts'

type ExchangeOptions = SessionOptions & StateOption

export function exportCommand(): Command {
  return withSession(new Command('export'))
    .description(
      'Write users and tokens (hashes, no secrets, no history) into a file, to move them to another host.',
    )
    .argument('<file>', 'where to write it (mode 0600, whole or not at all)')
    .option('--state-dir <dir>', 'of a stopped daemon')
    .action(async (file: string, options: ExchangeOptions) => {
      const write = ({ commit, fingerprint, pages }: Source) => {
        const header: Header = { postern: 'export', format: FORMAT, created: Date.now(), commit, fingerprint }
        return writeStream(file, encodeBackup(header, usersFirst(pages)))
      }
      await eitherWay(options, placesOf(options), 'postern export', {
        running: (call) => using(fromDaemon(call), write),
        stopped: (state) => using(fromStore(state), write),
      })
    })
}

/** In a backup they are: U/ is in front of t/. */
async function* usersFirst(
  pages: AsyncIterable<readonly (readonly [string, string])[]>,
): AsyncGenerator<readonly Exported[]> {
  for await (const page of pages) yield exported(page)
}

export function importCommand(): Command {
  return new Command('import')
    .description(
      'Take in what postern export has written, under the same pepper. The daemon has to be stopped.',
    )
    .argument('<file>', 'the exported file')
    .option('--state-dir <dir>', 'where to (or $POSTERN_STATE_DIR)')
    .option('--config <file>', 'configuration file (or $POSTERN_CONFIG)')
    .option('--json', 'print JSON, as in a pipe')
    .action(takeIn)
}

async function takeIn(file: string, options: StateOption & { json?: boolean }): Promise<void> {
  const places = placesOf(options)
  if (isRunning(places.stateDir))
    throw new Complaint('the daemon is running', 'stop it first, and then import')
  const check = await BackupReader.open(readStream(file), 'export')
  for await (const item of check.entries()) if (!isExported(item)) throw damaged() // first to its end, where the digest is
  refuseOtherPepper(check.header, places)
  const outcome = await offline(
    places,
    async ({ store }) => {
      const work = new Import(store)
      const again = await BackupReader.open(readStream(file), 'export')
      for await (const item of again.entries()) await work.add(item as unknown as Exported)
      return work.outcome
    },
    { create: true },
  )
  if (wantsJson(options)) printJson(outcome)
  else {
    print(`${outcome.users} users and ${outcome.tokens} tokens came in.`)
    if (outcome.skipped.length > 0)
      print(`Here already, or without their owner: ${outcome.skipped.join(', ')}`)
  }
}

/** Before anything is made: a new directory would get a pepper of its own. */
function refuseOtherPepper({ fingerprint: wanted }: Header, places: Places): void {
  if (hasPepper(places) && fingerprint(readPepperOf(places)) === wanted) return
  throw new Complaint(
    'the export was made under another pepper, with which its hashes mean nothing here',
    'put the pepper of the other host into an empty state directory first',
  )
}
