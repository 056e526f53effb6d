import type { ConnectionOptions } from 'node:tls'

/** What is under attack. */
export interface Target {
  /** A Unix socket's path. */
  readonly socket: string
  /** Of loopback. */
  readonly port: number
  /** The remote door with TLS; undefined: there is none. */
  readonly secure: (ConnectionOptions & { host: string; port: number }) | undefined
  /** The remote door for a reverse proxy that is trusted: a Unix socket's path. */
  readonly proxied: string
  /** From 0 to 1: how much of an attack. */
  readonly scale: number
  /** Bytes that a connection of a flood carries at most. */
  readonly most: number
}

/** What an attacker has done until now. */
export interface Effort {
  /** Connections that were made, or tried. */
  connections: number
  /** Bytes that the kernel took. */
  bytes: number
}

export interface Attack {
  readonly name: string
  /** Whether it is one on any HTTP server, without TLS. */
  readonly plain: boolean
  /** Begins, and resolves once it stands; returns how to end it. */
  begin(target: Target, effort: Effort): Promise<() => void>
}
