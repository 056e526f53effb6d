import type { Buckets } from './histogram.ts'

export type Protocol = 'http' | 'lines' | 'websocket'

/** A Unix socket's path, or a loopback port. */
export type Place = { readonly socket: string } | { readonly port: number }

/** Tokens of a seeded store: a file with a secret on each line; the ids begin with `firstId`. */
export interface SeededTokens {
  readonly file: string
  readonly firstId: number
  readonly count: number
}

/** What is sent, one request for each token in turn. In `body`, $TOKEN stands for its secret and $ID for its id. */
export interface RequestPlan {
  readonly protocol: Protocol
  readonly body: string
  readonly tokens?: SeededTokens
  /** HTTP alone: verb and target; POST /api/ where left out. */
  readonly target?: string
  /** HTTP alone; JSON where left out. */
  readonly contentType?: string
  /** HTTP alone: whether the token goes into the Authorization header. */
  readonly bearer?: boolean
}

/** Connections to somebody, and what is said on them. */
export interface LanePlan {
  readonly place: Place
  readonly connections: number
  /** Requests that are under way on a connection at a time; 1 where left out. */
  readonly pipeline?: number
  readonly request: RequestPlan
  /** Calls that a request stands for; 1 where left out. */
  readonly calls?: number
  /** HTTP alone; 200 where left out. */
  readonly status?: number
  /** What each answer has in it, once for each call; `"result":` where left out, and nothing where it is empty. */
  readonly wanted?: string
}

/** What a burst has come to. */
export interface Burst {
  readonly calls: number
  readonly milliseconds: number
  /** Share of a processor that the load generator itself has used: near 1, it was the slower side. */
  readonly busy: number
  readonly latency: Buckets
}

/** From the one who drives to the process that makes the load. */
export type Order =
  | { readonly kind: 'open'; readonly lane: number; readonly plan: LanePlan }
  | { readonly kind: 'burst'; readonly lane: number; readonly milliseconds: number }
  | {
      readonly kind: 'paced'
      readonly lane: number
      readonly milliseconds: number
      /** Requests per second. */
      readonly rate: number
    }
  | { readonly kind: 'close'; readonly lane: number }

export interface Report {
  readonly number: number
  readonly burst?: Burst
  readonly error?: string
}
