import { createHmac } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { Failure } from '../../protocol/failures.ts'
import type { Params } from '../../protocol/jsonrpc.ts'

/** What an upstream wants of us, from a file: never from the configuration itself, which anybody may read. */
export interface UpstreamCredential {
  readonly kind: 'header' | 'basic' | 'param' | 'cookie-file' | 'jwt-hs256'
  readonly file: string
  /** Of the header; Authorization where left out. */
  readonly name?: string | undefined
}

/** Its name and its value. */
export type HeaderField = readonly [name: string, value: string]

/** Adds an upstream's credential to calls. The file is read again when it has changed: bitcoind writes another at each start. */
export class Credential {
  readonly #credential: UpstreamCredential | undefined
  #read: { readonly stamp: string; readonly text: string } | undefined

  constructor(credential: UpstreamCredential | undefined) {
    this.#credential = credential
  }

  /** The header field that carries it, if one does. */
  field(): HeaderField | undefined {
    switch (this.#credential?.kind) {
      case 'header':
        return [this.#credential.name ?? 'Authorization', asBytes(this.#secret())]
      case 'basic':
      case 'cookie-file':
        return ['Authorization', `Basic ${Buffer.from(this.#secret()).toString('base64')}`]
      case 'jwt-hs256':
        return ['Authorization', `Bearer ${freshJwt(this.#secret())}`]
      default:
        return undefined
    }
  }

  /** aria2 wants `token:…` in front of the others. Throws `invalid_params` for parameters by name, which have no front. */
  params(params: Params | undefined): Params | undefined {
    if (this.#credential?.kind !== 'param') return params
    const isEmpty = params === undefined || Object.keys(params).length === 0
    if (!isEmpty && !Array.isArray(params))
      throw new Failure('invalid_params', 'The service behind this method takes parameters by position.')
    return [this.#secret(), ...(isEmpty ? [] : (params as readonly unknown[]))]
  }

  #secret(): string {
    const file = this.#credential?.file ?? ''
    const { mtimeMs, size, ino } = statSync(file)
    const stamp = `${mtimeMs} ${size} ${ino}`
    if (this.#read?.stamp !== stamp) this.#read = { stamp, text: readFileSync(file, 'utf8').trim() }
    if (this.#read.text === '') throw new Error(`${file} is empty`)
    return this.#read.text
  }
}

/** A header field's value as it is in the file, to the byte: it is sent with a byte for each character. */
function asBytes(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** As go-ethereum's engine API wants it: signed by a secret in hexadecimal, and a few seconds old at most. */
function freshJwt(secret: string): string {
  const [, digits = ''] = /^(?:0x)?((?:[0-9a-f]{2}){16,})$/i.exec(secret) ?? []
  if (digits === '') throw new Error('the secret for the JWT is not hexadecimal, or shorter than 16 bytes')
  const key = Buffer.from(digits, 'hex')
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const content = `${part({ typ: 'JWT', alg: 'HS256' })}.${part({ iat: Math.floor(Date.now() / 1000) })}`
  return `${content}.${createHmac('sha256', key).update(content).digest('base64url')}`
}
