import type { Found, Step } from '../store/store.ts'
import type { TokenRecord } from './records.ts'

/** Something that is not as it has to be. `repair`: what puts it right; without it, something is lost. */
export interface Finding {
  readonly what: string
  readonly repair?: Step
}

export function stray(key: string): Finding {
  return { what: `${key} belongs to nothing`, repair: { key, write: null } }
}

export function keyOf(found: Found): string {
  return 'entry' in found ? found.entry.key : found.damaged
}

/** A record with an id, or undefined for what is damaged or something else. */
export function parse<T>(found: Found): T | undefined {
  if (!('entry' in found)) return undefined
  try {
    const parsed: unknown = JSON.parse(found.entry.value)
    return typeof parsed === 'object' && parsed !== null && 'id' in parsed ? (parsed as T) : undefined
  } catch {
    return undefined
  }
}

/** The token that an entry of an index says it is about. */
export function tokenIn(found: Found): string | undefined {
  const key = keyOf(found)
  if (key.startsWith('h/')) return parse<TokenRecord>(found)?.id
  if (!key.startsWith('n/')) return idIn(key)
  return 'entry' in found && /^\d+$/.test(found.entry.value) ? found.entry.value : undefined
}

/** The id that a key ends with. */
export function idIn(key: string): string | undefined {
  const last = key.slice(key.lastIndexOf('/') + 1)
  return /^\d+$/.test(last) ? String(BigInt(last)) : undefined
}
