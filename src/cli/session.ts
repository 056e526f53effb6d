import type { Command } from 'commander'
import type { WhoAmI } from '../methods/auth.ts'
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

/** `ownId`: of the token that was minted for this session, which nobody wants to see listed. */
export function session<T>(
  options: SessionOptions,
  purpose: string,
  work: (call: Call, ownId: string | undefined) => Promise<T>,
): Promise<T> {
  const client = new Client(socketOf(options))
  const given = tokenOf(options)
  return withToken(client, given, purpose, async (token) => {
    const call: Call = (method, params) => client.call(method, params, token)
    const own = given === undefined ? ((await call('Auth.WhoAmI', {})) as WhoAmI) : undefined
    return work(call, own?.tokenid)
  })
}
