import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { Command } from 'commander'
import { type ChainedLine, ChainVerifier, type Checkpoint } from '../auth/audit-chain.ts'
import type { SignedCheckpoint } from '../methods/audit.ts'
import { Complaint, inWords } from '../protocol/complaint.ts'
import { readStream, writeStream } from './backup/sink.ts'
import { type Call, type SessionOptions, session, withSession } from './session.ts'
import { print, printJson, wantsJson } from './terminal.ts'

const HOUR = 3600

interface VerifyOptions extends SessionOptions {
  file?: string
  key?: string
  checkpoint?: string
}

export function verifyCommand(): Command {
  return withSession(new Command('verify'))
    .description(
      'Verify the chain of the audit log and its signatures: a line that was removed, changed or moved is named.',
    )
    .option('--file <file>', 'an exported log, far from any daemon')
    .option('--key <file>', 'the public key for --file (PEM, from postern audit checkpoint)')
    .option(
      '--checkpoint <file>',
      'a checkpoint that was kept elsewhere: shows whether the newest lines are gone',
    )
    .action(verify)
}

async function verify(_own: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals() as VerifyOptions
  const kept = options.checkpoint === undefined ? undefined : readJson<SignedCheckpoint>(options.checkpoint)
  const outcome =
    options.file === undefined
      ? await session(options, 'postern audit verify', (call) => verifyDaemon(call, kept?.checkpoint), {
          seconds: HOUR,
        })
      : await verifyLines(linesIn(options.file), keyOf(options, kept), kept?.checkpoint)
  const { lines, checkpoints, faults, signed } = outcome
  if (wantsJson(options)) printJson({ lines, checkpoints, signatures_checked: signed, faults })
  else {
    for (const fault of faults) print(fault)
    print(
      `${lines} lines, ${checkpoints} checkpoints${signed ? '' : ' (signatures not checked: name --key)'}.`,
    )
  }
  if (faults.length > 0) throw new Complaint('the audit log is not as it was written')
}

interface Outcome {
  readonly lines: number
  readonly checkpoints: number
  readonly faults: readonly string[]
  readonly signed: boolean
}

async function verifyLines(
  lines: AsyncIterable<ChainedLine>,
  publicKey: string | undefined,
  checkpoint: Checkpoint | undefined,
): Promise<Outcome> {
  const verifier = new ChainVerifier(publicKey, checkpoint)
  for await (const line of lines) verifier.add(line)
  const faults = verifier.end()
  const { lines: count, checkpoints } = verifier
  return { lines: count, checkpoints, faults, signed: publicKey !== undefined }
}

async function verifyDaemon(call: Call, kept: Checkpoint | undefined): Promise<Outcome> {
  const { public_key } = (await call('audit.checkpoint', {})) as SignedCheckpoint
  return verifyLines(linesOf(call), public_key, kept)
}

function keyOf({ key }: VerifyOptions, kept: SignedCheckpoint | undefined): string | undefined {
  if (key === undefined) return kept?.public_key
  const text = readText(key)
  return text.startsWith('{') ? (JSON.parse(text) as SignedCheckpoint).public_key : text
}

async function* linesOf(call: Call): AsyncGenerator<ChainedLine> {
  for (let after = 0; ; ) {
    const page = (await call('audit.export', { after })) as ChainedLine[]
    yield* page
    const last = page.at(-1)
    if (last === undefined) return
    after = last.seq
  }
}

async function* linesIn(file: string): AsyncGenerator<ChainedLine> {
  for await (const line of createInterface({ input: Readable.from(readStream(file)) })) {
    try {
      yield asChained(JSON.parse(line))
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause
      throw new Complaint(`${file} is no exported audit log`, 'postern audit export makes one', { cause })
    }
  }
}

/** Throws SyntaxError for something else. */
function asChained(value: unknown): ChainedLine {
  const { seq, hash, line } = (value ?? {}) as Partial<ChainedLine>
  if (Number.isSafeInteger(seq) && typeof hash === 'string' && typeof line === 'string')
    return value as ChainedLine
  throw new SyntaxError('not a line of the audit log')
}

export function exportCommand(): Command {
  return withSession(new Command('export'))
    .description('Write the audit log as it is chained into a file: JSON, one line each.')
    .argument('<file>', 'where to write it (mode 0600, whole or not at all)')
    .action(async (file: string, _own: unknown, command: Command) => {
      const options = command.optsWithGlobals() as SessionOptions
      await session(options, 'postern audit export', (call) => writeStream(file, encoded(linesOf(call))), {
        seconds: HOUR,
      })
    })
}

async function* encoded(lines: AsyncIterable<ChainedLine>): AsyncGenerator<Uint8Array> {
  for await (const line of lines) yield Buffer.from(`${JSON.stringify(line)}\n`)
}

export function checkpointCommand(): Command {
  return withSession(new Command('checkpoint'))
    .description(
      'Sign the audit log as it is now, and print that with the public key. Keep it on another machine.',
    )
    .action(async (_own: unknown, command: Command) => {
      const options = command.optsWithGlobals() as SessionOptions
      printJson(await session(options, 'postern audit checkpoint', (call) => call('audit.checkpoint', {})))
    })
}

function readJson<T>(file: string): T {
  try {
    const parsed: unknown = JSON.parse(readText(file))
    if (typeof parsed !== 'object' || parsed === null) throw new SyntaxError('not an object')
    return parsed as T
  } catch (cause) {
    if (cause instanceof Complaint) throw cause
    throw new Complaint(`${file} is no checkpoint`, 'postern audit checkpoint prints one', { cause })
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Complaint(`cannot read ${file}: ${inWords(cause)}`, undefined, { cause })
  }
}
