import fc from 'fast-check'
import type { Daemon } from '../support/daemon.ts'
import { fetched } from '../support/datafor.ts'
import { call, http } from '../support/talk.ts'

/** Credentials that are nearly right, and what is said to them. */

/** One thing done to a text: something put in place of a part of it, two neighbours changed over, a part said twice. */
export function altered(text: string, letters: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(fc.nat({ max: text.length }), fc.nat({ max: 2 }), letters, fc.nat({ max: 5 }))
    .map(([at, length, by, what]) => {
      const [before, part, after] = [text.slice(0, at), text.slice(at, at + length), text.slice(at + length)]
      if (what === 0) return before + [...part].reverse().join('') + after
      if (what === 1) return before + part + part + after
      if (what === 2) return before + swapCase(part) + after
      if (what === 3) return at % 2 === 0 ? before : after
      return before + by + after
    })
    .filter((other) => other !== text)
}

function swapCase(text: string): string {
  return text.replace(/[a-z]/gi, (letter) => (letter > 'Z' ? letter.toUpperCase() : letter.toLowerCase()))
}

/** Characters that a header field may have, without blanks, which HTTP takes off its ends. */
export const HEADER_TEXT = fc
  .string({ unit: 'grapheme-ascii', maxLength: 3 })
  .map((text) => text.replaceAll(' ', ''))

export type Way = 'unix' | 'tcp' | 'Token' | 'auth'

/** All that a caller sees of the answer to a credential but the time of day. */
export async function seen(
  daemon: Daemon,
  way: Way,
  token: string,
): Promise<{ status: number; told: string }> {
  const { status, headers, body } = await asked(daemon, way, token)
  const { date: _, ...fields } = headers
  return { status, told: JSON.stringify([fields, body]) }
}

/** The answer, on each way in, to a token that was never made. */
export function likeUnknown(daemon: Daemon): (way: Way) => Promise<unknown> {
  const known = new Map<Way, Promise<unknown>>()
  return (way) => {
    const answer = known.get(way) ?? seen(daemon, way, `pst_${'A'.repeat(49)}`)
    known.set(way, answer)
    return answer
  }
}

function asked(daemon: Daemon, way: Way, token: string) {
  if (way === 'auth') return fetched(daemon, '/auth', { token })
  if (way !== 'Token') return call(daemon, 'Auth.WhoAmI', undefined, { token, door: way })
  const params = { Token: token }
  return http(daemon, JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'Auth.WhoAmI', params }))
}

export const WAYS: readonly Way[] = ['unix', 'tcp', 'Token', 'auth']
