import { gidOf, uidOf } from '../linux/names.ts'
import { canAskUnix } from '../linux/peer.ts'
import { Complaint } from '../protocol/complaint.ts'
import { Failure } from '../protocol/failures.ts'
import type { Grant, Peer } from './caller.ts'
import { ALL_METHODS, contains } from './scopes.ts'

/** Members may mint on the Unix socket where the configuration says nothing else. */
export const OPERATORS_GROUP = 'postern'

/** One `[[operators]]` of the configuration: whom it is about, by exactly one of the first four, and what they may mint. */
export interface OperatorRule {
  readonly user?: string | undefined
  readonly uid?: number | undefined
  readonly group?: string | undefined
  readonly gid?: number | undefined
  /** The only owner of tokens they may mint; left out: anybody. */
  readonly userid?: string | undefined
  /** Milliseconds; left out: no limit. A lifetime without end exceeds every limit. */
  readonly max_ttl?: number | undefined
  readonly scopes: readonly string[]
}

/** What somebody asks to mint. */
export interface MintWish {
  /** Seconds; 0: without end. */
  readonly ttl: number
  readonly userid?: string | undefined
  readonly scopes?: readonly string[] | undefined
}

interface Entry {
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  readonly grant: Grant
}

/**
 * Who on this host may mint what. The first rule that is about a caller decides; rules about a uid, those of root and of
 * the daemon's own user included, come before rules about a group: whoever is known by name is not taken for one of many.
 */
export class Operators {
  readonly #entries: readonly Entry[]
  readonly #loopbackMint: boolean

  /**
   * Names are looked up here, once. Throws Complaint for one that this host does not know.
   * `loopbackMint`: false closes TCP to everybody.
   */
  constructor(rules: readonly OperatorRule[], loopbackMint: boolean) {
    const entries = [...rules.map(entryOf), ...defaults()]
    const isPersonal = ({ uid }: Entry) => uid !== undefined
    this.#entries = [...entries.filter(isPersonal), ...entries.filter((entry) => !isPersonal(entry))]
    this.#loopbackMint = loopbackMint
  }

  /** Undefined: no operator. Groups are known of callers on the Unix socket alone. */
  grantTo({ door, uid, gid, groups }: Peer): Grant | undefined {
    if (door === 'remote' || (door === 'tcp' && !this.#loopbackMint)) return undefined
    if (uid === undefined) {
      // Where the kernel cannot be asked, the mode of the socket's file has decided; where it answered "unknown", nobody is.
      return door === 'unix' && !canAskUnix() ? everything('file mode') : undefined
    }
    const inGroup = (wanted: number) => door === 'unix' && (gid === wanted || groups.includes(wanted))
    return this.#entries.find((entry) =>
      entry.uid === undefined ? entry.gid !== undefined && inGroup(entry.gid) : entry.uid === uid,
    )?.grant
  }

  /** Why a caller who is on this host has no grant, and what the operator can do about it. */
  explain({ door, uid }: Peer): { readonly reason: string; readonly hint?: string } {
    if (door === 'tcp' && !this.#loopbackMint) return { reason: 'listen.loopback_mint is off' }
    if (uid === undefined) return { reason: 'the kernel does not tell who is connected' }
    const member = door === 'unix' ? `make them a member of group ${OPERATORS_GROUP}, or ` : ''
    return {
      reason: `uid ${uid} is no operator`,
      hint: `to let them mint, ${member}add [[operators]] with uid = ${uid} to the configuration`,
    }
  }
}

/** Whether a grant leaves nothing to ask for. */
export function isUnlimited({ userid, maxTtl, scopes }: Grant): boolean {
  return userid === undefined && maxTtl === undefined && contains(scopes, ALL_METHODS)
}

function everything(rule: string): Grant {
  return { rule, userid: undefined, maxTtl: undefined, scopes: ALL_METHODS }
}

function defaults(): Entry[] {
  return [
    { uid: 0, grant: everything('root') },
    { uid: process.getuid?.(), grant: everything("the daemon's own user") },
    { gid: gidOf(OPERATORS_GROUP), grant: everything(`group ${OPERATORS_GROUP}`) },
  ]
}

function entryOf(rule: OperatorRule, at: number): Entry {
  const { user, group, userid, max_ttl, scopes } = rule
  const uid = user === undefined ? rule.uid : (uidOf(user) ?? unknown('user', user, at))
  const gid = group === undefined ? rule.gid : (gidOf(group) ?? unknown('group', group, at))
  return { uid, gid, grant: { rule: `operators[${at}]`, userid, maxTtl: max_ttl, scopes } }
}

function unknown(what: 'user' | 'group', name: string, at: number): never {
  throw new Complaint(
    `operators[${at}]: this host has no ${what} ${name}`,
    `create it, or name the ${what} by ${what === 'user' ? 'uid' : 'gid'}`,
  )
}

/**
 * What will be minted for whom, within a grant: owner and scopes are those of the grant where the wish names none.
 * Throws `forbidden` for a wish that exceeds it.
 */
export function granted(
  wish: MintWish,
  grant: Grant,
): { userid: string | undefined; scopes: readonly string[] } {
  const { ttl, userid = grant.userid, scopes = grant.scopes } = wish
  const { maxTtl } = grant
  if (grant.userid !== undefined && userid !== grant.userid)
    throw exceeded(`tokens of user ${grant.userid} only`)
  if (maxTtl !== undefined && (ttl === 0 || ttl * 1000 > maxTtl)) {
    throw exceeded(`a ttl from 1 to ${Math.floor(maxTtl / 1000)} seconds`)
  }
  if (!contains(grant.scopes, scopes)) throw exceeded(`scopes within ${grant.scopes.join(' ') || 'nothing'}`)
  return { userid, scopes }
}

function exceeded(limit: string): Failure {
  return new Failure(
    'forbidden',
    `Your operator rule allows ${limit}: ask for that, or have the rule changed.`,
  )
}
