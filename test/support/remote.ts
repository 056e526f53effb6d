import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { run, type Scope } from './daemon.ts'
import type { HttpAnswer, HttpQuestion } from './talk.ts'

/** The name in every certificate here. */
const NAME = 'postern.test'

export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

/** Makes a certificate with its key, in files of that name. `place`: what it is for, beside the name in every one. */
export async function makeCertificate(
  directory: string,
  name: string,
  place = `DNS:${NAME}`,
): Promise<CertificateFiles> {
  const files = { cert: join(directory, `${name}.crt`), key: join(directory, `${name}.key`) }
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const subject = ['-subj', `/CN=${NAME}`, '-addext', `subjectAltName=${place}`]
  const { code, stderr } = await run('openssl', [
    'req',
    ...kind,
    ...subject,
    '-out',
    files.cert,
    '-keyout',
    files.key,
  ])
  if (code !== 0) throw new Error(stderr)
  return files
}

/** Where a remote door is: on one of the sixteen million loopback addresses of Linux, so that every port is free. */
export class Address {
  readonly host = `127.${randomInt(1, 255)}.${randomInt(256)}.${randomInt(1, 255)}`
  readonly port = 8443
  /** The certificate's file; undefined: plain. */
  readonly ca: string | undefined

  constructor(ca?: string) {
    this.ca = ca
  }

  toString(): string {
    return `${this.host}:${this.port}`
  }

  /** For Node's clients and ws. */
  get options(): ConnectionOptions & { host: string; port: number } {
    const { host, port, ca } = this
    return { host, port, ...(ca !== undefined && { ca: readFileSync(ca), servername: NAME }) }
  }
}

/** The path of a Unix socket, or an address. */
export type RemotePlace = string | Address

/** One HTTP request through the remote door. `from`: the address that it comes from. */
export async function httpAt(
  place: RemotePlace,
  body: string,
  { token, headers = {}, path = '/api/', from }: HttpQuestion & { from?: string } = {},
): Promise<HttpAnswer> {
  const options = {
    ...(typeof place === 'string' ? { socketPath: place } : place.options),
    ...(from !== undefined && { localAddress: from }),
    method: 'POST',
    path,
    agent: false,
    headers: {
      'Content-Type': 'application/json',
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...headers,
    },
  }
  const secure = typeof place !== 'string' && place.ca !== undefined
  const req = secure ? httpsRequest(options) : httpRequest(options)
  req.end(body)
  const [res] = await once(req, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of res) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString('utf8')
  return { status: res.statusCode, headers: res.headers, body: text, json: text && JSON.parse(text) }
}

/** A call through the remote door. */
export function callAt(
  place: RemotePlace,
  method: string,
  params?: unknown,
  question: HttpQuestion & { from?: string } = {},
): Promise<HttpAnswer> {
  return httpAt(place, JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }), question)
}

/** A TLS connection once it stands; rejects where it does not come to that. */
export async function handshake(
  t: Scope,
  { options }: Address,
  more: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connect({ ...options, ...more })
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  socket.on('error', () => {}) // the daemon's end ends it
  return socket
}

/** A request on a connection that is kept alive: the status of its answer. */
export async function askOn(socket: TLSSocket, token: string): Promise<number> {
  const body = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'
  const head = `Host: a\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`
  socket.write(`POST /api/ HTTP/1.1\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`)
  const [answer] = await Promise.race([once(socket, 'data'), once(socket, 'close')])
  return Number(/^HTTP\/1.1 (\d+)/.exec(String(answer))?.[1])
}
