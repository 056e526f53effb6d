import { Command } from 'commander'
import { Complaint } from '../../protocol/complaint.ts'
import { FORMAT, fingerprint } from '../../store/format.ts'
import { eitherWay } from '../either-way.ts'
import { type Places, placesOf, readPepperOf, type StateOption } from '../offline.ts'
import { type SessionOptions, withSession } from '../session.ts'
import { printJson, wantsJson } from '../terminal.ts'
import { type EncryptTo, encrypt, readSecretFile } from './encryption.ts'
import { encodeBackup, type Header } from './format.ts'
import { writeStream } from './sink.ts'
import { fromDaemon, fromStore, type Source, using } from './source.ts'

interface BackupOptions extends SessionOptions, StateOption {
  recipient?: string[]
  passphraseFile?: string
  withoutPepper?: boolean
}

export function backupCommand(): Command {
  return withSession(new Command('backup'))
    .description('Write everything into one file, of one moment, while the daemon runs or not.')
    .argument('<file>', 'where to write it (mode 0600, whole or not at all)')
    .option('--recipient <age1...>', 'encrypt to this recipient of age; with the pepper', collect)
    .option('--passphrase-file <file>', 'encrypt with the passphrase in this file; with the pepper')
    .option('--without-pepper', 'do not encrypt, and leave out the pepper: keep that apart')
    .option('--state-dir <dir>', 'of a stopped daemon')
    .action(backup)
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}

async function backup(file: string, options: BackupOptions): Promise<void> {
  const to = protection(options)
  const places = placesOf(options)
  const write = async (source: Source): Promise<void> => {
    const plain = encodeBackup(headerOf(source, places, to !== undefined), source.pages)
    await writeStream(file, to === undefined ? plain : await encrypt(plain, to))
    if (wantsJson(options)) printJson({ file, commit: source.commit, encrypted: to !== undefined })
  }
  await eitherWay(options, places, 'postern backup', {
    running: (call) => using(fromDaemon(call), write),
    stopped: (state) => using(fromStore(state), write),
  })
}

/** Undefined: in plain text, and so without the pepper. */
function protection({ recipient, passphraseFile, withoutPepper }: BackupOptions): EncryptTo | undefined {
  const chosen = [recipient, passphraseFile, withoutPepper].filter((option) => option !== undefined)
  if (chosen.length !== 1) {
    throw new Complaint(
      'how shall the backup be kept safe?',
      'name one of --recipient, --passphrase-file and --without-pepper',
      { exitCode: 2 },
    )
  }
  if (recipient !== undefined) return { recipients: recipient }
  if (passphraseFile === undefined) return undefined
  const passphrase = readSecretFile(passphraseFile)
  if (passphrase === '') throw new Complaint(`the passphrase in ${passphraseFile} is empty`)
  return { passphrase }
}

function headerOf(source: Source, places: Places, withPepper: boolean): Header {
  const { commit, fingerprint } = source
  const header: Header = { postern: 'backup', format: FORMAT, created: Date.now(), commit, fingerprint }
  return withPepper ? { ...header, pepper: pepperFor(source, places) } : header
}

function pepperFor({ fingerprint: wanted }: Source, places: Places): string {
  const pepper = readPepperOf(places)
  if (fingerprint(pepper) === wanted) return pepper.toString('hex')
  throw new Complaint(
    `the pepper of ${places.stateDir} is not that of the daemon that answers`,
    'name the state directory of that daemon with --state-dir',
  )
}
