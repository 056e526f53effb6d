import type { Fields } from './query-params.ts'
import type { TokenRecord } from './records.ts'
import type { Users } from './users.ts'

/** What a query looks at. `lastAccess`: milliseconds since 1970, 0 for never; filled in where it matters. */
export interface TokenRow {
  readonly token: TokenRecord
  lastAccess: number
  /** Where they are counted. */
  uses: number | null
}

/** Token objects as Zabbix has them, all values as strings, and after them what is ours. */
export function tokenFields(users: Pick<Users, 'find'>): Fields<TokenRow> {
  return {
    tokenid: { kind: 'id', filter: true, sort: true, read: ({ token }) => token.id },
    name: { kind: 'text', filter: true, search: true, sort: true, read: ({ token }) => token.name },
    description: { kind: 'text', search: true, read: ({ token }) => token.description },
    userid: { kind: 'id', filter: true, read: ({ token }) => token.user },
    lastaccess: {
      kind: 'integer',
      filter: true,
      sort: true,
      read: ({ lastAccess }) => String(Math.floor(lastAccess / 1000)),
    },
    status: {
      kind: 'integer',
      filter: true,
      sort: true,
      read: ({ token }) => (token.status === 'enabled' ? '0' : '1'),
    },
    expires_at: { kind: 'integer', filter: true, sort: true, read: ({ token }) => String(token.expiresAt) },
    created_at: {
      kind: 'integer',
      filter: true,
      sort: true,
      read: ({ token }) => String(Math.floor(token.created / 1000)),
    },
    // Ids are never used again, so a creator who is not there any more needs no rewriting of what they made.
    creator_userid: {
      kind: 'id',
      filter: true,
      read: ({ token }) => (users.find(token.creator) ? token.creator : '0'),
    },
    scopes: { kind: 'text', named: true, read: ({ token }) => token.scopes },
    max_uses: { kind: 'text', named: true, read: ({ token }) => token.limits?.maxUses ?? null },
    uses: { kind: 'text', named: true, read: ({ uses }) => uses },
    idle_ttl: { kind: 'text', named: true, read: ({ token }) => seconds(token.limits?.idleTtl) },
    allowed_ips: { kind: 'text', named: true, read: ({ token }) => token.limits?.allowedIps ?? null },
    rate_limit: { kind: 'text', named: true, read: ({ token }) => rateOf(token) },
    not_before: { kind: 'text', named: true, read: ({ token }) => seconds(token.limits?.notBefore) },
    metadata: { kind: 'text', named: true, read: ({ token }) => token.metadata ?? null },
    minted_by: { kind: 'text', named: true, read: ({ token }) => token.mintedBy },
  }
}

function seconds(milliseconds: number | undefined): number | null {
  return milliseconds === undefined ? null : milliseconds / 1000
}

function rateOf({ limits }: TokenRecord): object | null {
  return limits?.rate === undefined ? null : { per_second: limits.rate.perSecond, burst: limits.rate.burst }
}
