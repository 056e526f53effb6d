import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { JSONRPCClient, type JSONRPCResponse } from 'json-rpc-2.0'
import { Complaint, codeOf, inWords } from '../protocol/complaint.ts'
import { FAILURES } from '../protocol/failures.ts'
import type { Params } from '../protocol/jsonrpc.ts'

/** How long an answer may take, in milliseconds. */
const TIMEOUT_MS = 30_000

/** Whether systemd is in charge of the daemon. */
const IS_SERVICE =
  existsSync('/run/systemd/system') &&
  ['/etc', '/usr/lib'].some((place) => existsSync(`${place}/systemd/system/postern.socket`))

/** One call on its way. */
interface Sending {
  readonly token: string | undefined
  /** Why there is no answer. */
  failed: unknown
}

/** Calls the daemon over its Unix socket, one HTTP request a call. */
export class Client {
  readonly #socket: string
  readonly #timeoutMs: number
  readonly #rpc: JSONRPCClient<Sending>

  /** `timeoutMs`: how long an answer may take. */
  constructor(socket: string, timeoutMs = TIMEOUT_MS) {
    this.#socket = socket
    this.#timeoutMs = timeoutMs
    this.#rpc = new JSONRPCClient(async (payload, sending) => {
      try {
        this.#rpc.receive(await this.#post(JSON.stringify(payload), sending.token))
      } catch (error) {
        sending.failed = error // JSONRPCClient would make an answer of the daemon's out of it
        throw error
      }
    })
  }

  /** The result; throws Complaint with what the daemon said. */
  async call(method: string, params: Params | undefined, token: string | undefined): Promise<unknown> {
    const request = { jsonrpc: '2.0' as const, id: 1, method, ...(params !== undefined && { params }) }
    const sending: Sending = { token, failed: undefined }
    const { result, error } = await this.#rpc.requestAdvanced(request, sending)
    if (sending.failed !== undefined) throw sending.failed
    if (error === undefined) return result
    throw new Complaint(
      `${method}: ${error.message} ${typeof error.data === 'string' ? error.data : ''}`.trimEnd(),
      hintFor(method, error.code, token),
    )
  }

  #post(body: string, token: string | undefined): Promise<JSONRPCResponse> {
    return new Promise((resolve, reject) => {
      const headers = {
        'Content-Type': 'application/json',
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      }
      const req = request({
        socketPath: this.#socket,
        path: '/api/',
        method: 'POST',
        headers,
        timeout: this.#timeoutMs,
      })
      req.on('response', (res) => {
        const chunks: Buffer[] = []
        res.on('data', (chunk: Buffer) => chunks.push(chunk))
        res.on('error', (error) => reject(this.#unreachable(error)))
        res.on('end', () => resolve(this.#parse(Buffer.concat(chunks).toString('utf8'))))
      })
      req.on('timeout', () => req.destroy(new Error('no answer in time')))
      req.on('error', (error) => reject(this.#unreachable(error)))
      req.end(body)
    })
  }

  #parse(text: string): JSONRPCResponse {
    try {
      // A refusal of HTTP itself (an oversized body, say) has no id, and the client would wait for the one it sent.
      return { ...(JSON.parse(text) as JSONRPCResponse), id: 1 }
    } catch (cause) {
      throw new Complaint(`what answers on ${this.#socket} does not speak JSON-RPC`, undefined, { cause })
    }
  }

  #unreachable(error: Error): Complaint {
    const start = IS_SERVICE
      ? 'see what is wrong: systemctl status postern.socket postern.service'
      : 'start the daemon with "postern serve", or name its socket with --socket'
    const hint = codeOf(error) === 'EACCES' ? 'ask the operator to let you open the socket' : start
    return new Complaint(`cannot reach the daemon on ${this.#socket}: ${inWords(error)}`, hint, {
      cause: error,
    })
  }
}

function hintFor(method: string, code: number, token: string | undefined): string | undefined {
  if (code === FAILURES.conflict.code && method === 'Auth.CreateApiToken')
    return 'choose another name, or replace the token that has it with --replace'
  if (code !== FAILURES.unauthenticated.code) return undefined
  return token === undefined
    ? 'set POSTERN_TOKEN, or name a file with --token-file'
    : 'mint another: postern mint --ttl 1h'
}

export interface Purpose {
  /** Describes the token in the audit log. */
  readonly purpose: string
  /** How long the work may take. */
  readonly seconds: number
  /** Lifetime of the token, where the work makes one that outlives it: nothing lasts longer than what made it. 0: without end. */
  readonly ttl?: number | undefined
}

/** Runs with the given token, or with one that is minted for the purpose and revoked at the end. */
export async function withToken<T>(
  client: Client,
  given: string | undefined,
  purpose: Purpose,
  work: (token: string) => Promise<T>,
): Promise<T> {
  if (given !== undefined) return work(given)
  const minted = await mintFor(client, purpose)
  try {
    return await work(minted)
  } finally {
    // An operator's rule may not let it: then it ends by itself.
    await client.call('Auth.RevokeApiToken', undefined, minted).catch(() => {})
  }
}

/** Where an operator's rule allows no such lifetime, a short one: the daemon then says what cannot be done with it. */
async function mintFor(client: Client, { purpose, seconds, ttl = seconds }: Purpose): Promise<string> {
  const mint = (lifetime: number) =>
    client.call('Auth.CreateApiToken', { ttl: lifetime, description: purpose }, undefined) as Promise<string>
  try {
    return await mint(ttl)
  } catch (error) {
    if (ttl === seconds) throw error
    return mint(seconds)
  }
}
