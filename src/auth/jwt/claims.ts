import type { Configuration } from './configuration.ts'

/** What of a JWT's payload counts here, settled. */
export interface SettledClaims {
  readonly username: string
  /** The name of the person, where the configuration maps one. */
  readonly name: string | undefined
  readonly jti: string | undefined
  /** Milliseconds since 1970. */
  readonly expires: number
  readonly issued: number | undefined
}

const LONGEST_USERNAME = 100
const LONGEST_JTI = 256
/** Unix seconds: the end of the year 9999. */
const LATEST = 253_402_300_799
/** Control characters and those that nobody sees: two users must not look alike. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

/** Undefined: nobody is meant by it. Its signature and `exp` are verified already. */
export function settleClaims(
  payload: Readonly<Record<string, unknown>>,
  { fieldmap }: Configuration,
): SettledClaims | undefined {
  const { exp, iat, jti } = payload
  const username = payload[fieldmap.username]
  const name = fieldmap.name === undefined ? undefined : payload[fieldmap.name]
  if (!isName(username) || !isTime(exp) || (jti !== undefined && !isText(jti, LONGEST_JTI))) return undefined
  return {
    username,
    name: isName(name) ? name : undefined,
    jti,
    expires: exp * 1000,
    issued: isTime(iat) ? iat * 1000 : undefined,
  }
}

function isName(value: unknown): value is string {
  return isText(value, LONGEST_USERNAME) && value.trim() === value && !INVISIBLE.test(value)
}

function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value !== '' && value.length <= longest && value.isWellFormed()
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= LATEST
}
