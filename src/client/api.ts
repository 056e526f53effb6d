/** What a method takes by name (or, where it takes a list, the list) and what it answers. */
export interface Procedure {
  readonly params: object | undefined
  readonly result: unknown
}

/** Bounds of a token. Null takes a bound away; times are Unix seconds, spans seconds. */
export interface TokenBounds {
  scopes?: string[]
  max_uses?: number | null
  idle_ttl?: number | null
  allowed_ips?: string[] | null
  rate_limit?: { per_second: number; burst?: number } | null
  not_before?: number | null
  metadata?: Record<string, unknown> | null
}

/** `status`: 0 enabled, 1 disabled. `expires_at`: Unix seconds, the last one in which it is accepted; 0: never. */
export interface TokenSettings extends TokenBounds {
  name?: string
  description?: string
  status?: 0 | 1
  expires_at?: number
}

/** Times are seconds since 1970 with milliseconds as decimals; null: never. */
export interface WhoAmI {
  tokenid: string
  name: string
  user: { userid: string; username: string }
  type: string
  scopes: readonly string[]
  created: number
  expires: number | null
  last_access: number | null
}

/** `uptime`: seconds. */
export interface SystemInfo {
  name: 'postern'
  version: string
  uptime: number
  store: { backend: string; writable: boolean }
  local: { readonly unix: string; readonly tcp: string }
  counts: { users: number; tokens: number; tokens_complete: boolean; connections: number }
}

/** Which tokens, and how much is told of them. Null is no condition. */
export interface TokenQuery {
  tokenids?: string | string[] | null
  userids?: string | string[] | null
  token?: string | null
  valid_at?: number | null
  expired_at?: number | null
  filter?: Record<string, unknown> | null
  search?: Record<string, unknown> | null
  searchByAny?: boolean
  startSearch?: boolean
  excludeSearch?: boolean
  searchWildcardsEnabled?: boolean
  output?: 'extend' | 'count' | string[]
  countOutput?: boolean
  sortfield?: string | string[]
  sortorder?: 'ASC' | 'DESC' | ('ASC' | 'DESC')[]
  limit?: number
  preservekeys?: boolean
}

/** A notification of token.watch; or that lines `from` to `to` are not there any more. */
export type TokenEvent =
  | {
      number: number
      event: string
      /** Seconds since 1970. */
      at: number
      tokenid?: string
      name?: string
      userid?: string
      why?: string
      address?: string
      expires?: number | null
    }
  | { event: 'gap'; from: number; to: number }

interface TokenIds {
  tokenids: string[]
}

interface NewSecret {
  tokenid: string
  /** Shown this once. */
  token: string
}

type Nothing = Record<string, never>

/** The daemon's own methods that clients have most use for. Any other is called by its name, with types of one's own. */
export interface PosternApi {
  'Auth.CreateApiToken': {
    /** `ttl`: seconds; 0: without end. Only over the Unix socket or loopback. */
    params: TokenBounds & {
      ttl: number
      name?: string
      description?: string
      replace?: boolean
      userid?: string
      username?: string
    }
    /** The token's secret. */
    result: string
  }
  'Auth.WhoAmI': { params: Nothing | undefined; result: WhoAmI }
  'Auth.RevokeApiToken': { params: { tokenid?: string; token?: string } | undefined; result: boolean }
  'token.create': {
    params: MaybeList<TokenSettings & { name: string; userid?: string }>
    result: TokenIds
  }
  'token.generate': { params: string[]; result: NewSecret[] }
  'token.get': { params: TokenQuery | undefined; result: unknown }
  'token.update': { params: MaybeList<TokenSettings & { tokenid: string }>; result: TokenIds }
  'token.delete': { params: string[]; result: TokenIds }
  /** `grace`: seconds for which the old secret is accepted. */
  'token.rotate': { params: { tokenid: string; grace?: number }; result: NewSecret }
  'token.revoke': {
    params: {
      created_before?: number
      userid?: string
      creator_userid?: string
      minted_by_uid?: number
      minted_on?: 'unix' | 'tcp'
    }
    result: { tokens: number; connections: number }
  }
  'token.explain': {
    params: { tokenid?: string; token?: string; method: string; from?: string }
    result: { allowed: boolean; rule: string; reason: string }
  }
  /** Over a WebSocket: then on('token.watch', …) hears TokenEvents. */
  'token.watch': { params: { after?: number } | undefined; result: { after: number } }
  'token.introspect': { params: { token: string }; result: { active: boolean; [claim: string]: unknown } }
  'system.info': { params: Nothing | undefined; result: SystemInfo }
}

type MaybeList<T> = T | T[]
