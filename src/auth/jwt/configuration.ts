import { Failure } from '../../protocol/failures.ts'

/** What an outside system and we have agreed on, so that it trusts what we sign, and we what it shows (Datafor's token API). */
export const ALGORITHMS = [
  ...['HS256', 'HS384', 'HS512'],
  ...['RS256', 'RS384', 'RS512'],
  ...['ES256', 'ES384', 'ES512'],
] as const
export type Algorithm =
  | 'HS256'
  | 'HS384'
  | 'HS512'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'

/** What an unknown user becomes at the first sign-in, in Datafor's words. */
export const ROLES: Readonly<Record<string, 'user' | 'admin' | 'superadmin'>> = {
  SYS_Reader: 'user',
  SYS_Creator: 'admin',
  Administrator: 'superadmin',
}

/** In place of a secret that is never told. */
export const MASK = '************'

/** Seconds; where nothing else was agreed. */
export const DEFAULT_EXPIRE = 86_400
const LONGEST_EXPIRE = 4_294_967_295
const LONGEST_NAME = 64
const LONGEST_SECRET = 8_192
/** As stored: flags are "0" and "1", as its clients send and read them. */
export interface Configuration {
  readonly name: string
  readonly token_name: string
  /** Sealed; null: none was ever given. */
  readonly secret: string | null
  readonly expire: number
  readonly algorithm: Algorithm
  readonly fieldmap: FieldMap
  readonly enable: Flag
  readonly inituser: Flag
  readonly initroles: string
  readonly self_service: Flag
  /** Milliseconds since 1970. */
  readonly createdDate: number
  readonly lastModifiedDate: number
  readonly creatorId: string
}

export type Flag = '0' | '1'

/** Names of claims. */
export interface FieldMap {
  readonly username: string
  readonly name?: string
  readonly email?: string
}

/** What of a configuration a verified token rests on: under another one it would have to be verified anew. */
export function basisOf({ algorithm, secret, fieldmap }: Configuration): string {
  return `${algorithm} ${fieldmap.username} ${secret}`
}

/** What a call says of a configuration: texts and numbers as forms and JSON give them. */
export type Draft = Readonly<Record<string, unknown>>

/** The settled members of a draft, with defaults for what it leaves out, and the secret that it brings, if any. Throws `invalid_params`. */
export function readDraft(draft: Draft): {
  readonly settings: Omit<Configuration, 'secret' | 'createdDate' | 'lastModifiedDate' | 'creatorId'>
  readonly secret: string | undefined
} {
  const name = textOf(draft, 'name', LONGEST_NAME) ?? refuse('name', 'is missing')
  const algorithm = textOf(draft, 'algorithm', 5) ?? 'HS256'
  if (!isAlgorithm(algorithm)) refuse('algorithm', `must be one of ${ALGORITHMS.join(', ')}`)
  const initroles = textOf(draft, 'initroles', 64) ?? 'SYS_Reader'
  if (!Object.hasOwn(ROLES, initroles)) refuse('initroles', `must be one of ${Object.keys(ROLES).join(', ')}`)
  const self_service = flagOf(draft, 'self_service', '0')
  if (self_service === '1' && !isShared(algorithm))
    refuse('self_service', 'takes an algorithm with a shared secret')
  const secret = textOf(draft, 'secret', LONGEST_SECRET)
  const settings = {
    name,
    token_name: textOf(draft, 'token_name', LONGEST_NAME) ?? 'token',
    expire: expireOf(draft.expire) ?? DEFAULT_EXPIRE,
    algorithm,
    fieldmap: fieldMapOf(draft.fieldmap, name),
    enable: flagOf(draft, 'enable', '0'),
    inituser: flagOf(draft, 'inituser', '1'),
    initroles,
    self_service,
  }
  return { settings, secret: secret === MASK ? undefined : secret }
}

/** Whether both sides have the same secret; else the stored one is a public key. */
export function isShared(algorithm: Algorithm): boolean {
  return algorithm.startsWith('HS')
}

function isAlgorithm(text: string): text is Algorithm {
  return (ALGORITHMS as readonly string[]).includes(text)
}

/** Seconds, as a number or its digits; undefined: not said. Throws `invalid_params`. */
export function expireOf(value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const seconds = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value
  if (typeof seconds === 'number' && Number.isInteger(seconds) && seconds >= 1 && seconds <= LONGEST_EXPIRE)
    return seconds
  return refuse('expire', `must be seconds from 1 to ${LONGEST_EXPIRE}`)
}

/** By default the claim has the name of the configuration. In a form it is JSON. */
function fieldMapOf(value: unknown, name: string): FieldMap {
  if (value === undefined || value === null || value === '') return claimNamed(name)
  const map = typeof value === 'string' ? parseObject(value) : value
  if (typeof map !== 'object' || map === null || Array.isArray(map)) refuse('fieldmap', 'must be an object')
  const claims = map as Record<string, unknown>
  const username = textOf(claims, 'username', LONGEST_NAME) ?? name
  const [full, email] = [textOf(claims, 'name', LONGEST_NAME), textOf(claims, 'email', LONGEST_NAME)]
  const named = [username, full, email].filter((claim) => claim !== undefined)
  if (named.some((claim) => RESERVED.has(claim)) || new Set(named).size < named.length)
    refuse('fieldmap', 'must name claims of its own')
  return { username, ...(full !== undefined && { name: full }), ...(email !== undefined && { email }) }
}

/** Throws `invalid_params` for a name whose meaning is settled elsewhere. */
export function claimNamed(name: string): FieldMap {
  if (RESERVED.has(name)) refuse('name', 'must be no claim of its own meaning, or come with a fieldmap')
  return { username: name }
}

/** Claims whose meaning is settled elsewhere (RFC 7519 section 4.1), and names that are none. */
const RESERVED = new Set(['exp', 'nbf', 'iat', 'jti', '__proto__'])

function parseObject(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function textOf(from: Draft, key: string, longest: number): string | undefined {
  const value = Object.hasOwn(from, key) ? from[key] : undefined
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string' || value.length > longest || !value.isWellFormed())
    refuse(key, `must be a text of at most ${longest} characters`)
  return value
}

function flagOf(from: Draft, key: string, fallback: Flag): Flag {
  const value = Object.hasOwn(from, key) ? from[key] : undefined
  if (value === undefined || value === null || value === '') return fallback
  const text =
    typeof value === 'boolean' ? String(Number(value)) : typeof value === 'object' ? '' : String(value)
  return text === '0' || text === '1' ? text : refuse(key, 'must be "0" or "1"')
}

function refuse(field: string, reason: string): never {
  throw new Failure('invalid_params', `Invalid parameter "/${field}": it ${reason}.`)
}
