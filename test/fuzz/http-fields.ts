import type { Dice } from './dice.ts'

/** What of a call's success a part of its request rules out. */
export type Spoils = 'nothing' | 'minting' | 'everything'

/** Lines of a head, each without its end. */
export interface Fields {
  readonly lines: readonly string[]
  readonly spoils: Spoils
  /** Whether the request may be refused for it together with what follows. */
  readonly mayEnd: boolean
}

const field = (line: string, spoils: Spoils = 'nothing', mayEnd = false): Fields => ({
  lines: [line],
  spoils,
  mayEnd,
})

/** A field that a request may carry: harmless, telling, or malformed. `local`: a Host that is ours. */
export function anyField(dice: Dice, token: string): Fields {
  const kind = dice.below(12)
  if (kind < 4) return field(dice.pick(HARMLESS))
  if (kind < 6) return field(`${dice.pick(FORWARDING)}: 192.0.2.1`, 'minting', true)
  if (kind < 7) return field(dice.pick(['Connection: close', 'Connection: Close, x']), 'nothing', true)
  if (kind < 8) return field(dice.pick(['Host: localhost', 'host:', 'HOST: a, b']), 'everything')
  if (kind < 9) return field(`authorization: Bearer ${token}`, 'nothing')
  if (kind < 10) return many(dice)
  return malformed(dice, token)
}

/** For TCP, where they show that a browser is asking. */
export function browserField(dice: Dice): Fields {
  return field(
    dice.pick([
      'Origin: http://localhost',
      'Origin: null',
      'Referer: http://127.0.0.1/',
      'Sec-Fetch-Site: cross-site',
      'sec-fetch-site: same-origin',
      'Sec-Fetch-Mode: cors',
      'Access-Control-Request-Method: POST',
    ]),
    'minting',
  )
}

const HARMLESS = [
  'Accept: */*',
  'User-Agent: \x80\xff',
  'X-Empty:',
  'X-Tabs: \t a\tb \t',
  '__proto__: polluted',
  'constructor: a',
  'hasOwnProperty: b',
  'Cookie: token=a; token=b',
  'Connection: keep-alive',
  'Connection: Authorization, Content-Length',
  'TE: trailers',
  'Trailer: Authorization',
  'Expect: 100-continue',
  'Upgrade: h2c',
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
  'Connection: upgrade\r\nUpgrade: websocket',
  'Connection: upgrade, close\r\nUpgrade: TLS/1.0, h2c',
  'Sec-Fetch-Site: none',
  'Accept-Encoding: gzip, br',
  'Range: bytes=0-0',
  'If-None-Match: *',
  '!#$%&*+.^_`|~9: every sign of a token',
]

const FORWARDING = [
  'Forwarded',
  'Via',
  'X-Real-IP',
  'X-Forwarded-For',
  'x_forwarded_for',
  'X-Forwarded-Host',
  'X-Original-URL',
  'CF-Connecting-IP',
]

/** So many, or so long, that the head may be too large. */
function many(dice: Dice): Fields {
  if (dice.chance(0.5)) return field(`X-Long: ${'x'.repeat(dice.between(10_000, 20_000))}`, 'nothing', true)
  const names = dice.times(dice.between(500, 3500), () => 'a:')
  return { lines: [...names, 'Via: hidden behind them'], spoils: 'minting', mayEnd: true }
}

/** RFC 9112 section 5.2 and RFC 9110 section 5.5: refused, or read in the one harmless way. */
function malformed(dice: Dice, token: string): Fields {
  const make = dice.pick<() => Fields>([
    () => field('X: a\x00b', 'everything', true),
    () => field('X: a\rb', 'everything', true),
    () => field('X: a\rVia: b', 'everything', true),
    () => field('X: a\nVia: b', 'minting', true),
    () => field('X: folded\r\n and more', 'nothing', true),
    () => field('X: folded\r\n\tVia: b', 'nothing', true),
    () => field(' X: begins with a blank', 'nothing', true),
    () => field('X : a', 'everything', true),
    () => field(`Authorization : Bearer ${token}`, 'everything', true),
    () => field(': nameless', 'everything', true),
    () => field('no colon', 'everything', true),
    () => field('X\x80: a', 'everything', true),
    () => field('X\x00: a', 'everything', true),
    () => field('X(: a', 'everything', true),
    () => field('X: a\x7fb', 'everything', true),
    () => field('X: a\x01b', 'everything', true),
    () => field('Content-Encoding: gzip'),
    () => field('Content-Type: text/plain', 'everything'),
    () => field('Expect: nothing'),
    () => field('Expect: 100-continue, and more'),
  ])
  return make()
}
