import { after, type Maybe } from '../protocol/maybe.ts'
import { Verbatim } from '../protocol/verbatim.ts'
import type { Clock } from '../store/clock.ts'
import { pages } from '../store/pages.ts'
import type { Entry, Reader, Store } from '../store/store.ts'
import { prefixed } from '../store/store.ts'
import type { TokenCaller } from './caller.ts'
import type { LastAccess } from './last-access.ts'
import { dependsOn, present, select } from './query.ts'
import { type Fields, type Query, type QueryParams, toQuery } from './query-params.ts'
import { expiryPlace, recordKey, secretKey, type TokenRecord, tokenKey, usesKey } from './records.ts'
import { isSecretShaped, type Pepper } from './secret.ts'
import { type TokenRow, tokenFields } from './token-fields.ts'
import { parseToken } from './token-steps.ts'
import { type TokenText, TokenTexts } from './token-texts.ts'
import type { Users } from './users.ts'

/** Parameters of token.get beyond those that every query has. Null is no condition; times are Unix seconds. */
export interface TokenQueryParams extends QueryParams {
  tokenids?: string[] | null
  userids?: string[] | null
  token?: string | null
  valid_at?: number | null
  expired_at?: number | null
}

/** Rows between two turns of the event loop. */
const PAGE = 500

/** token.get: by index where ids, secret, owners or times are given, by a stream of all tokens otherwise. */
export class TokenGet {
  readonly #store: Store
  readonly #pepper: Pepper
  readonly #clock: Clock
  readonly #lastAccess: LastAccess
  readonly #texts: TokenTexts
  readonly fields: Fields<TokenRow>

  constructor(parts: { store: Store; pepper: Pepper; clock: Clock; lastAccess: LastAccess; users: Users }) {
    this.#clock = parts.clock
    this.#store = parts.store
    this.#pepper = parts.pepper
    this.#lastAccess = parts.lastAccess
    this.fields = tokenFields(parts.users)
    this.#texts = new TokenTexts(parts.store, (record) => this.#word(record))
  }

  get(params: TokenQueryParams, caller: TokenCaller): Maybe<unknown> {
    const id = onlyId(params)
    return id === undefined ? this.#query(params, caller) : this.#one(id, caller)
  }

  /** One token by its id, as it is asked for most: in words that are kept. Last access alone is looked up anew. */
  #one(id: string, { user }: TokenCaller): Maybe<Verbatim> {
    return after(this.#texts.find(id), (found) => {
      const isVisible = found !== undefined && (user.type === 'superadmin' || found.record.user === user.id)
      if (!isVisible || found.record.revoked !== null) return NONE
      return after(this.#lastAccess.read(id), (used = 0) => {
        return new Verbatim(`[${found.head}${Math.floor(used / 1000)}${found.tail}]`)
      })
    })
  }

  #word(record: TokenRecord): TokenText {
    const row: TokenRow = { token: record, lastAccess: 0, uses: null }
    const [shown = {}] = present(this.fields, EVERYTHING, 'tokenid', [row]) as object[]
    const members = Object.entries(shown).map(([name, value]) => `"${name}":${JSON.stringify(value)}`)
    const place = Object.keys(shown).indexOf('lastaccess')
    const head = `{${members.slice(0, place).join(',')},"lastaccess":"`
    return { record, used: false, head, tail: `",${members.slice(place + 1).join(',')}}` }
  }

  async #query(params: TokenQueryParams, caller: TokenCaller): Promise<unknown> {
    const owners = visibleOwners(params.userids ?? undefined, caller)
    const query = toQuery(params)
    const snapshot = this.#store.snapshot()
    try {
      const { entries, ordered } = this.#source(params, owners, query, snapshot)
      const condition = conditionOf(params, owners)
      const belongs = this.#belongsTo(params.token ?? undefined)
      const holds = (record: TokenRecord) => condition(record) && belongs(record)
      const rows = this.#rows(entries, holds, dependsOn(query, 'lastaccess'))
      const selected = await select(this.fields, ordered ? { ...query, sort: [] } : query, rows)
      if (typeof selected !== 'number') for (const row of selected) await this.#fillIn(row)
      return present(this.fields, query, 'tokenid', selected)
    } finally {
      await snapshot.close()
    }
  }

  /** Where the rows come from, by the narrowest index; `ordered`: in the order that the query asks for already. */
  #source(
    { tokenids, token, valid_at, expired_at }: TokenQueryParams,
    owners: readonly string[] | undefined,
    query: Query,
    reader: Reader,
  ): { entries: AsyncIterable<Entry[]>; ordered: boolean } {
    const [key, second] = query.sort
    const byId = key?.field === 'tokenid' && second === undefined
    const reverse = byId && key.descending
    if (tokenids) return { entries: read(reader, tokenids.map(tokenKey)), ordered: false }
    if (token !== undefined && token !== null)
      return { entries: this.#bySecret(token, reader), ordered: false }
    if (owners !== undefined) {
      return { entries: ofOwners(reader, owners, reverse), ordered: byId && owners.length === 1 }
    }
    if (expired_at)
      return {
        entries: byIndex(reader, 'v/', `v/${expiryPlace(Math.max(1, expired_at + 1))}`),
        ordered: false,
      }
    if (valid_at && valid_at > 0)
      return { entries: byIndex(reader, `v/${expiryPlace(Math.max(1, valid_at))}`, 'v0'), ordered: false }
    return { entries: pages(reader, { ...prefixed('t/'), limit: PAGE, reverse }), ordered: byId }
  }

  /** The secret before a rotation is one of its token's until its grace is over. */
  #belongsTo(secret: string | undefined): (token: TokenRecord) => boolean {
    if (secret === undefined) return () => true
    if (!isSecretShaped(secret)) return () => false
    const hash = this.#pepper.hash(secret)
    const now = this.#clock.now()
    return ({ hashes, retiring }) =>
      hashes.includes(hash) && (retiring?.hash !== hash || now < retiring.until)
  }

  async *#bySecret(secret: string, reader: Reader): AsyncGenerator<Entry[]> {
    const found = isSecretShaped(secret) ? await reader.get(secretKey(this.#pepper.hash(secret))) : undefined
    if (found !== undefined) yield [found]
  }

  async *#rows(
    entries: AsyncIterable<Entry[]>,
    holds: (token: TokenRecord) => boolean,
    withLastAccess: boolean,
  ): AsyncGenerator<TokenRow[]> {
    for await (const page of entries) {
      const rows = page.map((entry) => ({ token: parseToken(entry), lastAccess: 0, uses: null }))
      const kept = rows.filter(({ token }) => holds(token))
      if (withLastAccess) for (const row of kept) await this.#fillIn(row)
      yield kept
    }
  }

  async #fillIn(row: TokenRow): Promise<void> {
    const { id, limits } = row.token
    row.lastAccess = (await this.#lastAccess.read(id)) ?? 0
    if (limits?.maxUses !== undefined) row.uses = Number((await this.#store.get(usesKey(id)))?.value ?? 0)
  }
}

/** What is told where nothing else was asked for. */
const EVERYTHING = toQuery({})
const NONE = new Verbatim('[]')

/** The id, where a query asks for one token by its id, and for nothing else. */
function onlyId({ tokenids, output, ...rest }: TokenQueryParams): string | undefined {
  for (const _ in rest) return undefined
  return output === undefined && tokenids?.length === 1 ? tokenids[0] : undefined
}

/** Plain users and admins see their own tokens only. Undefined: no condition. */
function visibleOwners(
  userids: readonly string[] | undefined,
  { user }: TokenCaller,
): readonly string[] | undefined {
  if (user.type === 'superadmin') return userids && [...new Set(userids)]
  return userids === undefined || userids.includes(user.id) ? [user.id] : []
}

/** Every condition once more, whatever index the rows came from. A revoked token is no object any more. */
function conditionOf(
  { tokenids, valid_at, expired_at }: TokenQueryParams,
  owners: readonly string[] | undefined,
): (token: TokenRecord) => boolean {
  const ids = tokenids && new Set(tokenids)
  const users = owners && new Set(owners)
  return (token) => {
    const { expiresAt } = token
    if (token.revoked !== null || (ids && !ids.has(token.id)) || (users && !users.has(token.user)))
      return false
    if (typeof valid_at === 'number' && expiresAt !== 0 && expiresAt <= valid_at) return false
    return typeof expired_at !== 'number' || (expiresAt !== 0 && expiresAt <= expired_at)
  }
}

/** The tokens whose ids are at the end of an index's keys. */
async function* byIndex(reader: Reader, gte: string, lt: string, reverse = false): AsyncGenerator<Entry[]> {
  for await (const page of pages(reader, { gte, lt, limit: PAGE, reverse })) {
    yield* read(
      reader,
      page.map(({ key }) => recordKey(key)),
    )
  }
}

async function* ofOwners(
  reader: Reader,
  owners: readonly string[],
  reverse: boolean,
): AsyncGenerator<Entry[]> {
  for (const owner of owners) {
    const { gte, lt } = prefixed(`u/${owner}/`)
    yield* byIndex(reader, gte, lt, reverse)
  }
}

async function* read(reader: Reader, keys: readonly string[]): AsyncGenerator<Entry[]> {
  const unique = [...new Set(keys)]
  for (let at = 0; at < unique.length; at += PAGE) {
    const entries = await Promise.all(unique.slice(at, at + PAGE).map((key) => reader.get(key)))
    yield entries.filter((entry) => entry !== undefined)
  }
}
