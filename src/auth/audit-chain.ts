import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { CHAIN_START, chained } from '../store/batch.ts'

/** A line of the audit log as it is stored: its text, and the hash of it and of all before it. */
export interface ChainedLine {
  readonly seq: number
  readonly hash: string
  readonly line: string
}

/** Where lines were removed for their age. */
export interface Cut {
  /** The last line that is gone. */
  readonly through: number
  readonly hash: string
}

/** A signed statement: line `seq` had this hash. Kept elsewhere, it shows later that nothing up to there was touched. */
export interface Checkpoint {
  readonly seq: number
  readonly hash: string
  readonly cut: Cut | null
  /** Ed25519 (RFC 8032), base64url. */
  readonly signature: string
}

/** The DER head of an Ed25519 private key (RFC 8410 section 7); the 32 bytes of the key follow. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** The key that checkpoints are signed with. `seed`: 32 bytes. */
export class AuditKey {
  readonly #private: KeyObject
  /** PEM, to check signatures elsewhere. */
  readonly publicKey: string

  constructor(seed: Buffer) {
    this.#private = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
    this.publicKey = createPublicKey(this.#private).export({ format: 'pem', type: 'spki' }).toString()
  }

  sign(seq: number, hash: string, cut: Cut | null): Checkpoint {
    const signature = sign(null, statement(seq, hash, cut), this.#private).toString('base64url')
    return { seq, hash, cut, signature }
  }
}

export function isGenuine({ seq, hash, cut, signature }: Checkpoint, publicKey: string): boolean {
  return verify(null, statement(seq, hash, cut), publicKey, Buffer.from(signature, 'base64url'))
}

function statement(seq: number, hash: string, cut: Cut | null): Buffer {
  const gone = cut === null ? '' : `${cut.through} ${cut.hash}`
  return Buffer.from(`postern audit checkpoint\n${seq} ${hash}\n${gone}`)
}

/** How many lines may come between a checkpoint's head and its own line: what is committed while it is signed. */
const REMEMBERED = 20_000

/** Goes through a log from its first line to its last, and names what is wrong. */
export class ChainVerifier {
  readonly #publicKey: string | undefined
  readonly #kept: Checkpoint | undefined
  readonly faults: string[] = []
  /** Lines and checkpoints seen. */
  lines = 0
  checkpoints = 0
  #first: ChainedLine | undefined
  #last: { readonly seq: number; readonly hash: string } = { seq: 0, hash: CHAIN_START }
  /** Of the newest lines, and of the one that the kept checkpoint is about: a log has more lines than memory has room for. */
  readonly #hashes = new Map<number, string>()
  /** The widest that a checkpoint tells of. */
  #cut: Cut | undefined

  /** Without a public key signatures are not checked. `kept`: a checkpoint that was kept elsewhere. */
  constructor(publicKey: string | undefined, kept?: Checkpoint) {
    this.#publicKey = publicKey
    this.#kept = kept
  }

  add(line: ChainedLine): void {
    const { seq, hash, line: text } = line
    if (this.#first === undefined) {
      this.#first = line
      if (seq > 1) this.#last = { seq: seq - 1, hash: '' } // checked at the end, against what says that it was cut
    }
    const follows = this.#last
    if (seq <= follows.seq) this.faults.push(`line ${seq} comes after line ${follows.seq}`)
    else if (seq > follows.seq + 1) this.faults.push(missing(follows.seq + 1, seq - 1))
    else if (!(line === this.#first && seq > 1) && hash !== chained(follows.hash, text)) {
      this.faults.push(`line ${seq} was changed, or does not follow line ${follows.seq}`)
    }
    this.lines++
    this.#last = { seq, hash }
    this.#remember(seq, hash)
    const checkpoint = checkpointIn(text)
    if (checkpoint !== undefined) this.#examine(checkpoint, `the checkpoint in line ${seq}`)
  }

  #remember(seq: number, hash: string): void {
    this.#hashes.set(seq, hash)
    const old = seq - REMEMBERED
    if (old !== this.#kept?.seq) this.#hashes.delete(old)
  }

  end(): readonly string[] {
    if (this.#kept !== undefined) this.#examine(this.#kept, 'the checkpoint that was kept')
    const first = this.#first
    if (first !== undefined && first.seq > 1 && !this.#wasCutBefore(first)) {
      this.faults.push(`${missing(1, first.seq - 1)}, and no checkpoint says that they were cut`)
    }
    return this.faults
  }

  /** A cut is said before it is done, so that some of what it is about may still be there. */
  #wasCutBefore({ seq, hash, line }: ChainedLine): boolean {
    const cut = this.#cut
    if (cut === undefined || seq > cut.through + 1) return false
    return seq <= cut.through || hash === chained(cut.hash, line)
  }

  #examine(checkpoint: Checkpoint, what: string): void {
    this.checkpoints++
    if (!isCheckpoint(checkpoint)) {
      this.faults.push(`${what} is none`)
      return
    }
    const { seq, hash, cut } = checkpoint
    if (this.#publicKey !== undefined && !isGenuine(checkpoint, this.#publicKey)) {
      this.faults.push(`${what} is not signed with the right key`)
      return
    }
    if (seq > this.#last.seq) this.faults.push(`${missing(this.#last.seq + 1, seq)}, as ${what} shows`)
    const found = this.#hashes.get(seq)
    if (found !== undefined && found !== hash)
      this.faults.push(`lines up to ${seq} were changed, as ${what} shows`)
    if (cut !== null && cut.through > (this.#cut?.through ?? 0)) this.#cut = cut
  }
}

function isCheckpoint(value: Checkpoint | null | undefined): value is Checkpoint {
  if (typeof value !== 'object' || value === null) return false
  const { seq, hash, cut, signature } = value
  const isCut = cut === null || (typeof cut?.through === 'number' && typeof cut.hash === 'string')
  return typeof seq === 'number' && typeof hash === 'string' && typeof signature === 'string' && isCut
}

function missing(from: number, to: number): string {
  return from === to ? `line ${from} is missing` : `lines ${from} to ${to} are missing`
}

/** The event under which checkpoints are in the log. */
export const CHECKPOINT = 'audit.checkpoint'

/** What a line says to be a checkpoint; undefined: it is about something else. */
export function checkpointIn(line: string): Checkpoint | undefined {
  if (!line.includes(CHECKPOINT)) return undefined
  try {
    const parsed = JSON.parse(line) as { event?: string; checkpoint?: Checkpoint } | null
    return parsed?.event === CHECKPOINT ? (parsed.checkpoint ?? (null as unknown as Checkpoint)) : undefined
  } catch {
    return undefined
  }
}
