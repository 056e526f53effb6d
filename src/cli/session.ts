import type { Command } from 'commander'
import type { Params } from '../protocol/jsonrpc.ts'
import { Client, withToken } from './client.ts'
import {
  type SocketOption,
  socketOf,
  type TokenOption,
  tokenOf,
  withSocket,
  withTokenFile,
} from './options.ts'

export type SessionOptions = SocketOption & TokenOption & { json?: boolean }

/** Calls as the caller, or with a token of a minute that is minted for the purpose and revoked at the end. */
export type Call = (method: string, params: Params) => Promise<unknown>

/** The options of a command that calls methods. */
export function withSession(command: Command): Command {
  return withTokenFile(withSocket(command)).option('--json', 'print JSON, as in a pipe')
}

/** `seconds`: how long it may take; `ttl`: see Purpose. `minted`: whether it is a token of this session's own, which nobody wants to see listed. */
export function session<T>(
  options: SessionOptions,
  purpose: string,
  work: (call: Call, minted: boolean, token: string) => Promise<T>,
  { seconds = 60, ttl }: { seconds?: number; ttl?: number | undefined } = {},
): Promise<T> {
  const client = new Client(socketOf(options), seconds * 1000)
  const given = tokenOf(options)
  return withToken(client, given, { purpose, seconds, ttl }, (token) => {
    return work((method, params) => client.call(method, params, token), given === undefined, token)
  })
}
