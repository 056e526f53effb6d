import { ALGORITHMS } from './jwt/configuration.ts'
import { AddressRanges } from './ranges.ts'
import { configurationKey, personalKey } from './records.ts'

/** Whether the text of a record that comes from a file is one: what the program goes on to use has the type it expects. */

const ID = /^[1-9]\d{0,17}$/

export function isToken(text: string): boolean {
  const token = parse(text)
  if (token === undefined) return false
  const { id, name, user, creator, expires, expiresAt, created, hashes, scopes, revoked } = token
  return (
    [id, user, creator].every((one) => typeof one === 'string' && ID.test(one)) &&
    typeof name === 'string' &&
    (expires === null || typeof expires === 'number') &&
    [expiresAt, created].every((one) => typeof one === 'number') &&
    [hashes, scopes].every((list) => Array.isArray(list) && list.every((one) => typeof one === 'string')) &&
    (revoked === null || typeof revoked === 'object') &&
    (token.limits === undefined || isLimits(token.limits)) &&
    (token.retiring === undefined || isRetiring(token.retiring))
  )
}

export function isUser(text: string): boolean {
  const user = parse(text)
  if (user === undefined) return false
  const { id, username, type, status } = user
  return (
    typeof id === 'string' &&
    ID.test(id) &&
    typeof username === 'string' &&
    ['user', 'admin', 'superadmin'].includes(type as string) &&
    ['enabled', 'disabled'].includes(status as string)
  )
}

/** A bound that does not make sense would be none. */
function isLimits(limits: unknown): boolean {
  if (typeof limits !== 'object' || limits === null) return false
  const { notBefore, maxUses, idleTtl, allowedIps, rate } = limits as Record<string, unknown>
  return (
    [notBefore, maxUses, idleTtl].every((bound) => bound === undefined || Number.isSafeInteger(bound)) &&
    (allowedIps === undefined || (Array.isArray(allowedIps) && allowedIps.every(isRange))) &&
    (rate === undefined || isRate(rate))
  )
}

function isRetiring(retiring: unknown): boolean {
  const { hash, until } = (retiring ?? {}) as Record<string, unknown>
  return typeof hash === 'string' && typeof until === 'number'
}

function isRange(text: unknown): boolean {
  try {
    new AddressRanges([text as string])
    return typeof text === 'string'
  } catch {
    return false
  }
}

function isRate(rate: unknown): boolean {
  const { perSecond, burst } = rate as Record<string, unknown>
  return [perSecond, burst].every((part) => typeof part === 'number' && part > 0)
}

export function isConfiguration(key: string, text: string): boolean {
  const found = parse(text)
  if (found === undefined) return false
  const { name, secret, algorithm, fieldmap, enable, expire } = found
  return (
    key === configurationKey(String(name)) &&
    (secret === null || typeof secret === 'string') &&
    ALGORITHMS.includes(algorithm as never) &&
    typeof (fieldmap as Record<string, unknown> | undefined)?.username === 'string' &&
    ['0', '1'].includes(enable as string) &&
    Number.isSafeInteger(expire)
  )
}

export function isPersonal(key: string, text: string): boolean {
  const found = parse(text)
  if (found === undefined) return false
  const { jti, user, issued_at, expires_at, revoked_at } = found
  return (
    key === personalKey(String(jti)) &&
    typeof user === 'string' &&
    ID.test(user) &&
    [issued_at, expires_at].every((one) => typeof one === 'number') &&
    (revoked_at === null || typeof revoked_at === 'number')
  )
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
