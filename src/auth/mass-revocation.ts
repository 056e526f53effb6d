import { pages } from '../store/pages.ts'
import { type Entry, prefixed, type Store } from '../store/store.ts'
import type { TokenCaller } from './caller.ts'
import type { PersonalTokens } from './jwt/personal-tokens.ts'
import { recordKey, type TokenRecord } from './records.ts'
import { parseToken } from './token-steps.ts'
import type { Tokens } from './tokens.ts'

/** Which tokens are meant: those that fulfil each condition that is there. */
export interface RevocationFilter {
  /** Milliseconds since 1970. */
  readonly createdBefore?: number | undefined
  /** The owner's id. */
  readonly user?: string | undefined
  /** The uid that minted it. */
  readonly mintedByUid?: number | undefined
  /** The door through which it was minted. */
  readonly mintedOn?: 'unix' | 'tcp' | undefined
  /** The id of the user who created it. */
  readonly creator?: string | undefined
}

/** Tokens revoked side by side, in one write. */
const CHUNK = 100

/** Ends every token that a filter names. Each is a decision of its own: what fails in the middle leaves the rest ended. */
export class MassRevocation {
  readonly #store: Store
  readonly #tokens: Tokens
  readonly #personal: PersonalTokens

  constructor(store: Store, tokens: Tokens, personal: PersonalTokens) {
    this.#personal = personal
    this.#store = store
    this.#tokens = tokens
  }

  /** Returns how many were ended. The caller's own token goes last: a caller who vanishes has not revoked that alone. */
  async revoke(filter: RevocationFilter, caller: TokenCaller): Promise<number> {
    const own = caller.token.id
    const personal = await this.#revokePersonal(filter, caller)
    let ended = personal.count
    let ownMatches = false
    for await (const page of this.#candidates(filter)) {
      const found = page.filter((record) => record.revoked === null && matches(record, filter))
      ownMatches ||= found.some(({ id }) => id === own)
      const others = found.filter(({ id }) => id !== own)
      ended += await this.#revokeAll(others, caller)
    }
    if (personal.own !== undefined) {
      await this.#personal.revoke(personal.own, caller)
      return ended + 1
    }
    if (!ownMatches) return ended
    await this.#tokens.revoke(own, caller, 'by filter')
    return ended + 1
  }

  /** Signed tokens that users made for themselves were minted on no door. */
  async #revokePersonal(
    { user, creator, createdBefore, mintedByUid, mintedOn }: RevocationFilter,
    caller: TokenCaller,
  ): Promise<{ count: number; own: string | undefined }> {
    const foreign = user !== undefined && creator !== undefined && user !== creator
    if (mintedByUid !== undefined || mintedOn !== undefined || foreign) return { count: 0, own: undefined }
    return this.#personal.revokeAll(user ?? creator, createdBefore ?? Number.POSITIVE_INFINITY, caller)
  }

  async #revokeAll(records: readonly TokenRecord[], caller: TokenCaller): Promise<number> {
    await Promise.all(records.map(({ id }) => this.#tokens.revoke(id, caller, 'by filter')))
    return records.length
  }

  async *#candidates({ user }: RevocationFilter): AsyncGenerator<TokenRecord[]> {
    const range = prefixed(user === undefined ? 't/' : `u/${user}/`)
    for await (const page of pages(this.#store, { ...range, limit: CHUNK })) {
      const entries = user === undefined ? page : await this.#recordsOf(page)
      yield entries.map(parseToken)
    }
  }

  async #recordsOf(index: readonly Entry[]): Promise<Entry[]> {
    const records = await Promise.all(index.map(({ key }) => this.#store.get(recordKey(key))))
    return records.filter((entry) => entry !== undefined)
  }
}

function matches(
  record: TokenRecord,
  { createdBefore, mintedByUid, mintedOn, creator, user }: RevocationFilter,
) {
  const by = record.mintedBy?.kind === 'local' ? record.mintedBy : undefined
  return (
    (createdBefore === undefined || record.created < createdBefore) &&
    (user === undefined || record.user === user) &&
    (mintedByUid === undefined || by?.uid === mintedByUid) &&
    (mintedOn === undefined || by?.door === mintedOn) &&
    (creator === undefined || record.creator === creator)
  )
}
