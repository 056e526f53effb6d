import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AuditKey, ChainVerifier } from '../../src/auth/audit-chain.ts'
import { Pepper } from '../../src/auth/secret.ts'
import { LevelDatabase } from '../../src/store/level-database.ts'

/**
 * A second opinion on the store of a daemon that is not running: every index against every record, the audit chain, and
 * the numbers of commits. Returns what is wrong. It looks at a copy, since LevelDB rewrites files when it opens them;
 * and it spells out the keys itself, so that a mistake in the daemon's own functions is not made here again.
 */
export async function inspectStore(stateDir: string): Promise<string[]> {
  const copy = mkdtempSync(join(tmpdir(), 'postern-copy-'))
  try {
    cpSync(join(stateDir, 'db'), copy, { recursive: true })
    const db = await LevelDatabase.open(copy)
    try {
      return inspect(await readAll(db), readFileSync(join(stateDir, 'pepper'), 'latin1'))
    } finally {
      await db.close()
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

interface Stored {
  readonly value: string
  readonly version: number
}

interface Contents {
  /** By key, in order. */
  readonly entries: ReadonlyMap<string, Stored>
  readonly faults: string[]
}

interface Token {
  readonly id: string
  readonly name: string
  readonly user: string
  readonly source: string
  readonly expires: number | null
  readonly expiresAt: number
  readonly hashes: readonly string[]
  readonly revoked: { readonly at: number } | null
}

async function readAll(db: LevelDatabase): Promise<Contents> {
  const entries = new Map<string, Stored>()
  const faults: string[] = []
  for (const prefix of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ') {
    for await (const found of db.inspect(`${prefix}/`)) {
      if ('damaged' in found) faults.push(`${found.damaged} is damaged`)
      else entries.set(found.entry.key, found.entry)
    }
  }
  return { entries, faults }
}

function inspect({ entries, faults }: Contents, pepper: string): string[] {
  const under = (prefix: string) => [...entries].filter(([key]) => key.startsWith(prefix))
  const tokens = under('t/').map(([key, { value }]) => ({ key, value, token: JSON.parse(value) as Token }))
  const users = under('U/').map(([key, { value }]) => ({
    key,
    user: JSON.parse(value) as { id: string; username: string },
  }))
  const expected = new Map<string, string>()
  for (const { key, value, token } of tokens) {
    if (key !== `t/${ordered(token.id)}`) faults.push(`${key} holds token ${token.id}`)
    for (const [index, content] of indexesOf(token, value)) expected.set(index, content)
  }
  for (const { key, user } of users) {
    if (key !== `U/${ordered(user.id)}`) faults.push(`${key} holds user ${user.id}`)
    expected.set(`N/${user.username}`, user.id)
  }
  for (const [key, value] of expected) {
    const found = entries.get(key)
    if (found === undefined) faults.push(`${key} is missing`)
    else if (found.value !== value) faults.push(`${key} is ${found.value}, not ${value}`)
  }
  for (const prefix of ['h/', 'n/', 'u/', 'v/', 'x/', 'N/']) {
    for (const [key] of under(prefix)) if (!expected.has(key)) faults.push(`${key} points nowhere`)
  }
  const known = new Set(tokens.map(({ token }) => token.id))
  for (const [key] of under('a/'))
    if (!known.has(String(BigInt(key.slice(2))))) faults.push(`${key} points nowhere`)
  const owners = new Set(users.map(({ user }) => user.id))
  for (const { token } of tokens)
    if (!owners.has(token.user)) faults.push(`token ${token.id} belongs to nobody`)
  return [...faults, ...auditFaults(entries, tokens, pepper), ...commitFaults(entries)]
}

function* indexesOf(token: Token, value: string): Generator<[string, string]> {
  const { id, name, user, source, expires, expiresAt, hashes, revoked } = token
  for (const hash of hashes) yield [`h/${hash}`, value]
  yield [`u/${user}/${ordered(id)}`, '']
  if (revoked === null) {
    yield [`n/${user}/${name}`, id]
    const place = expiresAt === 0 ? Number.MAX_SAFE_INTEGER : Math.max(0, expiresAt)
    yield [`v/${ordered(place)}/${ordered(id)}`, '']
  }
  const end = revoked?.at ?? (source === 'mint' ? expires : null)
  if (end !== null) yield [`x/${ordered(end)}/${ordered(id)}`, '']
}

/** The chain is whole, reaches to where the store says it does, and tells of every token that is there, and was ended. */
function auditFaults(
  entries: Contents['entries'],
  tokens: readonly { readonly token: Token }[],
  pepper: string,
): string[] {
  const key = new AuditKey(Pepper.derive(Buffer.from(pepper.trim(), 'hex'), 'audit checkpoints'))
  const chain = new ChainVerifier(key.publicKey)
  const told = new Set<string>()
  let last = { seq: 0, hash: '' }
  for (const [at, { value }] of entries) {
    if (!at.startsWith('e/')) continue
    const space = value.indexOf(' ')
    const line = { seq: Number(at.slice(2)), hash: value.slice(0, space), line: value.slice(space + 1) }
    chain.add(line)
    last = line
    const { event, token } = JSON.parse(line.line) as { event: string; token?: string }
    if (token !== undefined) told.add(`${event} ${token}`)
  }
  const faults = [...chain.end()]
  const { appended, hash } = JSON.parse(entries.get('m/head')?.value ?? '{}') as {
    appended?: number
    hash?: string
  }
  if (appended !== last.seq || hash !== last.hash)
    faults.push(`the log ends with line ${last.seq}, not ${appended}`)
  for (const { token } of tokens) {
    const began = told.has(`token.mint ${token.id}`) || told.has(`token.create ${token.id}`)
    if (!began) faults.push(`no line tells of the making of token ${token.id}`)
    const ended = told.has(`token.revoke ${token.id}`)
    if (ended !== (token.revoked !== null)) faults.push(`the lines do not tell the end of token ${token.id}`)
    if (told.has(`token.delete ${token.id}`)) faults.push(`token ${token.id} was deleted, and is there`)
  }
  return faults
}

/** Each durable write names the one before it, and nothing is newer than the last. */
function commitFaults(entries: Contents['entries']): string[] {
  const faults: string[] = []
  let previous: number | undefined
  for (const [key, { value }] of entries) {
    if (!key.startsWith('c/')) continue
    if (previous !== undefined && Number(value) !== previous)
      faults.push(`${key} follows ${value}, not ${previous}`)
    previous = Number(key.slice(2))
  }
  const { commit } = JSON.parse(entries.get('m/head')?.value ?? '{}') as { commit?: number }
  for (const [key, { version }] of entries)
    if (commit === undefined || version > commit) faults.push(`${key} is of commit ${version}`)
  return faults
}

function ordered(value: number | string): string {
  return String(value).padStart(19, '0')
}
