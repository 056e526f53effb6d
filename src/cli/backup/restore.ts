import { Command } from 'commander'
import { restored } from '../../auth/restoration.ts'
import { Complaint } from '../../protocol/complaint.ts'
import { FORMAT } from '../../store/format.ts'
import { fillStateDirectory } from '../../store/restoring.ts'
import { handBack, isRunning, offline, placesOf, type StateOption } from '../offline.ts'
import { print, printJson, wantsJson } from '../terminal.ts'
import { decrypt, isEncrypted, readSecretFile } from './encryption.ts'
import { BackupReader, type Header } from './format.ts'
import { readStream } from './sink.ts'

interface RestoreOptions extends StateOption {
  identity?: string[]
  passphraseFile?: string
  acceptRevived?: boolean
  json?: boolean
}

export function restoreCommand(): Command {
  return new Command('restore')
    .description(
      'Put a backup into an empty state directory. Its tokens are disabled: some may have been revoked since.',
    )
    .argument('<file>', 'a file that postern backup has written')
    .option('--passphrase-file <file>', 'the passphrase that it is encrypted with')
    .option('--identity <file>', 'an identity of age that it is encrypted to', collect)
    .option('--accept-revived', 'let tokens live that were alive then')
    .option('--state-dir <dir>', 'where to (or $POSTERN_STATE_DIR)')
    .option('--config <file>', 'configuration file (or $POSTERN_CONFIG)')
    .option('--json', 'print JSON, as in a pipe')
    .action(restore)
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}

async function restore(file: string, options: RestoreOptions): Promise<void> {
  const places = placesOf(options)
  if (isRunning(places.stateDir)) {
    throw new Complaint(
      `a daemon is running on ${places.stateDir}`,
      'stop it, and restore into an empty --state-dir',
    )
  }
  // First to its end, so that nothing is begun with a file that is not whole.
  const header = await verify(file, options)
  const { entries } = await openBackup(file, options)
  const { acceptRevived = false } = options
  const { commit, fingerprint, pepper } = header
  await fillStateDirectory(places.stateDir, places.credentials, {
    pepper,
    fingerprint,
    entries: restored(entries, { acceptRevived, commit }),
  })
  await offline(places, ({ store }) => {
    const event = { at: Date.now(), event: 'store.restore', by: { kind: 'daemon' }, commit, acceptRevived }
    return store.commit({ steps: [], append: [JSON.stringify(event)] })
  })
  handBack(places.stateDir)
  if (wantsJson(options)) printJson({ restored: places.stateDir, commit, disabled: !acceptRevived })
  else if (!acceptRevived)
    print('Tokens are disabled. To let one live again: postern token update NAME --enable')
}

async function verify(file: string, options: RestoreOptions): Promise<Header> {
  const { header, entries } = await openBackup(file, options)
  if (header.format !== FORMAT) {
    throw new Complaint(
      `the backup has format ${header.format}; this version of postern restores format ${FORMAT}`,
    )
  }
  for await (const _ of restored(entries, { acceptRevived: true, commit: header.commit })) {
    // read to its end, where the digest is
  }
  return header
}

async function openBackup(file: string, { identity = [], passphraseFile }: RestoreOptions) {
  const passphrase = passphraseFile === undefined ? undefined : readSecretFile(passphraseFile)
  const bytes = (await startsEncrypted(file))
    ? await decrypt(readStream(file), { identities: identity, passphrase })
    : readStream(file)
  const reader = await BackupReader.open(bytes)
  return { header: reader.header, entries: reader.entries() }
}

async function startsEncrypted(file: string): Promise<boolean> {
  for await (const chunk of readStream(file)) return isEncrypted(chunk)
  return false
}
