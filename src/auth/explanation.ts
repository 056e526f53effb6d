import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import type { Admission } from './admission.ts'
import { RANK } from './caller.ts'
import { isJwtShaped } from './jwt/sign-in.ts'
import { type LiveRecord, secretKey, tokenKey, type UserType } from './records.ts'
import { scopeFor } from './scopes.ts'
import { isSecretShaped, type Pepper } from './secret.ts'
import { OBSTACLES, type Obstacle, obstacle } from './standing.ts'
import { parseToken } from './token-steps.ts'
import type { Users } from './users.ts'
import type { Verifier } from './verifier.ts'

/** What would become of a call, and which rule decides it. */
export interface Explanation {
  readonly allowed: boolean
  /** The name of an obstacle, `rate_limit`, `method`, `access`, or `scopes`. */
  readonly rule: Obstacle | 'rate_limit' | 'method' | 'access' | 'scopes'
  readonly reason: string
}

/** A token that a question is about, and the hash of the secret that it was named by. */
export interface Named {
  readonly record: LiveRecord
  readonly hash: string | undefined
}

interface Parts {
  readonly store: Store
  readonly pepper: Pepper
  readonly clock: Clock
  readonly users: Users
  readonly admission: Admission
  readonly verifier: Verifier
}

/** A method, as far as access goes; undefined: there is none of that name. */
export interface Target {
  readonly name: string
  readonly access: 'local' | UserType
}

/** The decision about a call without the call, and without a use of the token. */
export class Explainer {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async named({ tokenid, token }: { tokenid?: string; token?: string }): Promise<Named | undefined> {
    const { store, pepper } = this.#parts
    if (tokenid !== undefined) {
      const entry = await store.get(tokenKey(tokenid))
      return entry && { record: parseToken(entry), hash: undefined }
    }
    if (token !== undefined && isJwtShaped(token)) return this.#signed(token)
    if (token === undefined || !isSecretShaped(token)) return undefined
    const hash = pepper.hash(token)
    const entry = await store.get(secretKey(hash))
    return entry && { record: parseToken(entry), hash }
  }

  /** A signed token is nowhere stored: it is known as long as it is accepted. */
  async #signed(token: string): Promise<Named | undefined> {
    const verified = await this.#parts.verifier.look(token)
    return verified && { record: verified.live.record, hash: verified.live.hash }
  }

  /** The checks of a call in their order. `from`: an address, or `unix`. */
  async explain({ record, hash }: Named, target: Target | undefined, from: string): Promise<Explanation> {
    const { users, clock, admission } = this.#parts
    const user = users.find(record.user)
    if (target === undefined) return refused('method', 'There is no such method.')
    const bare = record.revoked === null && record.hashes.length === 0 ? ('no_secret' as const) : undefined
    const over = obstacle(record, hash, user, clock.now()) ?? bare ?? (await admission.obstacle(record, from))
    if (over !== undefined) return refused(over, `The token ${OBSTACLES[over]}.`)
    const wait = await admission.wait(record)
    if (wait !== undefined)
      return refused('rate_limit', `It has made too many calls; in ${wait} s it may again.`)
    if (target.access === 'local')
      return refused('access', 'Operators on this host may call it, without a token; no token may.')
    const type = user?.type ?? 'user'
    if (RANK[type] < RANK[target.access])
      return refused('access', `It takes a user of type ${target.access}; the token's is of type ${type}.`)
    const scope = scopeFor(record.scopes, target.name)
    if (scope === undefined) return refused('scopes', `None of its scopes names ${target.name}.`)
    return { allowed: true, rule: 'scopes', reason: `Its scope "${scope}" names ${target.name}.` }
  }
}

function refused(rule: Explanation['rule'], reason: string): Explanation {
  return { allowed: false, rule, reason }
}
