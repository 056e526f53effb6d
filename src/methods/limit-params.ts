import { AddressRanges } from '../auth/ranges.ts'
import { isScope, MOST_SCOPES } from '../auth/scopes.ts'
import {
  array,
  described,
  integer,
  invalidParameter,
  object,
  optional,
  type Schema,
} from '../protocol/schema.ts'

const MOST_ADDRESSES = 64
const MOST_USES = 1_000_000_000
const LONGEST_IDLE = 4_294_967_295
const FASTEST = 1_000_000
/** Bytes of metadata as JSON. */
const MOST_METADATA = 4096

export function scope(): Schema<string> {
  return {
    json: { type: 'string', description: 'A method, `namespace.*`, or `*`.' },
    read(value, path) {
      if (isScope(value)) return value
      throw invalidParameter(path, 'a method, "namespace.*" or "*" is expected')
    },
  }
}

function addresses(): Schema<string[]> {
  return {
    json: { type: 'array', items: { type: 'string' }, maxItems: MOST_ADDRESSES },
    read(value, path) {
      const texts =
        Array.isArray(value) && value.every((text) => typeof text === 'string') ? value : undefined
      if (texts === undefined || texts.length === 0 || texts.length > MOST_ADDRESSES)
        throw invalidParameter(path, `a list of 1 to ${MOST_ADDRESSES} addresses is expected`)
      try {
        new AddressRanges(texts)
      } catch (error) {
        throw invalidParameter(path, (error as Error).message)
      }
      return texts
    },
  }
}

function metadata(): Schema<Record<string, unknown>> {
  return {
    json: { type: 'object', description: `At most ${MOST_METADATA} bytes as JSON.` },
    read(value, path) {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw invalidParameter(path, 'an object is expected')
      if (Buffer.byteLength(JSON.stringify(value)) > MOST_METADATA)
        throw invalidParameter(path, 'value is too long')
      return value as Record<string, unknown>
    },
  }
}

function orNull<T>(schema: Schema<T>): Schema<T | null> {
  return { json: schema.json, read: (value, path) => (value === null ? null : schema.read(value, path)) }
}

/** Members that bound a token, for every call that makes or changes one. */
export const limitFields = {
  scopes: optional(
    described(
      array(scope(), { max: MOST_SCOPES }),
      'Methods that it may call; left out: all that its user, and whoever makes it, may.',
    ),
  ),
  max_uses: optional(described(orNull(integer({ min: 1, max: MOST_USES })), 'Calls in all its life.')),
  idle_ttl: optional(
    described(
      orNull(integer({ min: 1, max: LONGEST_IDLE })),
      'Seconds without a use after which it is dead.',
    ),
  ),
  allowed_ips: optional(described(orNull(addresses()), 'Addresses and CIDR ranges; "unix" for the socket.')),
  rate_limit: optional(
    described(
      orNull(
        object({
          per_second: integer({ min: 1, max: FASTEST }),
          burst: optional(integer({ min: 1, max: FASTEST })),
        }),
      ),
      'Calls a second, and how many at once (as many where left out).',
    ),
  ),
  not_before: optional(
    described(orNull(integer({ min: 0, max: 253_402_300_799 })), 'Unix time from which it is accepted.'),
  ),
  metadata: optional(described(orNull(metadata()), "The operator's own.")),
}
