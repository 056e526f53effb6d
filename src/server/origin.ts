import type { ServerResponse } from 'node:http'
import type { Outlet, Peer } from '../auth/caller.ts'
import type { Live } from '../auth/live.ts'
import type { AddressRanges } from '../auth/ranges.ts'
import type { Commons, Guest } from './commons.ts'
import type { Current } from './limits.ts'
import type { Claims } from './local.ts'
import type { Outbox } from './outbox.ts'

/** An open connection: what the kernel said about it, and what was found out on it. */
export interface Connection extends Guest {
  readonly peer: Peer
  /** Whose word about the client's address is taken. Only the remote door has any. */
  readonly proxies: Current<AddressRanges> | undefined
  /**
   * The credential that came last and the token it belonged to, so that the next request with the same one skips the hash.
   * It holds the cache's own entry, which a signal or an eviction makes stale; everything else is checked at every call.
   */
  memo: { readonly credential: string; readonly live: Live } | undefined
  /** Where it is served as long as it is not known. */
  readonly commons: Commons
  /** Where its answers wait for the end of the turn. */
  readonly outbox: Outbox
  /** Whether a token that is valid was shown on it, or something minted: until then a stranger's. */
  known: boolean
  /** Whether it was refused for too many that wait: nothing more is answered. */
  crowded: boolean
  /** Whether bytes on it were refused, which ends it: what is wrong with those behind them is not told. */
  refused: boolean
  /** Calls under way; each element of a batch is one. */
  inFlight: number
  /** Whether one of them is called when the other side has read its answers. */
  awaitsDrain: boolean
  /** Whether it is seen to that nothing is read while they wait. */
  guarded: boolean
  /** Whether an upgrade waits for the answers in front of it: till then nobody is there to read. */
  switching: boolean
  /** Set when it is gone: nobody will read what has not been begun. */
  closed: boolean
  /** Called then. */
  readonly onClosed: Set<() => void>
  /** The response to the newest HTTP request on it. */
  latest: ServerResponse | undefined
  /** Whether it is a WebSocket or a stream, which ends in its own way. */
  conversing: boolean
}

/** Where a message came from and what it brought, settled by the transport. */
export interface Origin {
  readonly connection: Connection
  /** The Authorization header of the request or the upgrade. */
  readonly authorization: string | undefined
  /** Whether a call's own `Token` takes the header's place (WebSocket) or contradicts it (HTTP: the request is refused). */
  readonly tokenOverrides: boolean
  /** What the request said that bears on who sent it; undefined where there is no HTTP. */
  readonly claims: Claims | undefined
  /** Where the client is, for audit and limits: the connection's other end, or whom a trusted proxy names. */
  readonly address: string
  /** How it can be told more than its answers: on a connection that stays open. */
  readonly outlet?: Outlet | undefined
  /** Milliseconds until the first of the tokens that it was admitted with ends, if that is soon. */
  expiresIn?: number
}
