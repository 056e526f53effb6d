import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseUpstream } from '../../src/server/gateway/place.ts'
import { isOfThisHost, parsePlace } from '../../src/server/place.ts'
import { isRoutePath, scopeOf } from '../../src/server/routes.ts'
import { parseDuration, parseRate, parseSize } from '../../src/units.ts'
import { holds } from '../support/property.ts'

/** Milliseconds, bytes and times a second, as people write them. */
const UNITS: readonly (readonly [
  name: string,
  parse: (text: string) => number | undefined,
  join: string,
  units: Readonly<Record<string, number>>,
  least: number,
])[] = [
  ['a duration', parseDuration, '', { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 }, 0],
  ['a size', parseSize, '', { B: 1, KiB: 1024, MiB: 1_048_576, GiB: 1_073_741_824 }, 0],
  ['a rate', parseRate, '/', { s: 1, m: 1 / 60, h: 1 / 3600 }, 1],
]

const SOUP = fc.string({
  unit: fc.constantFrom(...'0123456789.-+e/ smhdBKiMG１\n\0', 'ms', 'KiB', '/s', 'Infinity', 'NaN', '0x'),
  maxLength: 12,
})

describe('what people write', () => {
  for (const [name, parse, join, units, least] of UNITS) {
    it(`${name} is so many of its units`, () =>
      holds(
        fc.property(
          fc.integer({ min: least, max: 999_999_999 }),
          fc.constantFrom(...Object.keys(units)),
          (count, unit) => {
            const value = parse(`${count}${join}${unit}`)
            assert.ok(Math.abs((value ?? Number.NaN) - count * (units[unit] as number)) <= count * 1e-12)
          },
        ),
        300,
      ))

    it(`${name} is a number that can be counted with, or none at all`, () => {
      const shape = new RegExp(`^\\d{1,9}${join}(${Object.keys(units).join('|')})$`)
      return holds(
        fc.property(fc.oneof(SOUP, fc.string({ unit: 'binary' })), (text) => {
          const value = parse(text)
          if (value === undefined) return
          assert.match(text, shape)
          assert.ok(Number.isFinite(value) && value >= 0 && value <= Number.MAX_SAFE_INTEGER * 1024)
        }),
        1500,
      )
    })
  }

  it('a place to listen on is a path, or an address with a port; and this host’s own is no other’s', () =>
    holds(
      fc.property(
        fc.oneof(
          fc.tuple(fc.ipV4(), fc.nat({ max: 70_000 })).map(([host, port]) => `${host}:${port}`),
          fc.tuple(fc.ipV6(), fc.nat({ max: 70_000 })).map(([host, port]) => `[${host}]:${port}`),
          fc.string().map((path) => `unix:/${path}`),
          fc.string(),
        ),
        (text) => {
          const place = parsePlace(text)
          if (place === undefined) return
          if ('path' in place) assert.equal(text, `unix:${place.path}`)
          else {
            assert.ok(place.port <= 65_535)
            assert.equal(Number(text.slice(text.lastIndexOf(':') + 1)), place.port)
            const { hostname } = new URL(`tcp://${text}`)
            const isOwn = /^127\.|^\[::1\]$|^\[::ffff:7f[0-9a-f]{2}:/.test(hostname)
            assert.equal(isOfThisHost(place), isOwn)
          }
        },
      ),
      800,
    ))

  it('where a service is can be read of any text without a fault', () =>
    holds(
      fc.property(
        fc.constantFrom('http://', 'https:', 'ws://', 'wss:', 'unix+http:/', 'tcp:', 'unix:/', 'exec:/', ''),
        fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl(), SOUP),
        (scheme, rest) => {
          const place = parseUpstream(scheme + rest)
          if (place?.kind === 'tcp') assert.ok(place.port >= 1 && place.port <= 65_535)
          if (place?.kind === 'http' || place?.kind === 'ws') assert.equal(place.url.username, '')
        },
      ),
      800,
    ))

  it('a path that could be read in two ways is about no route', () =>
    holds(
      fc.property(
        fc.string({
          unit: fc.constantFrom('/', '.', '..', '%2e', ';', '\\', 'a', 'files', '*', '#', '?', ' '),
        }),
        (path) => {
          const routes = [{ path: '/*', scope: 'all' }]
          const isPlain = /^(\/(?!\.{1,2}(\/|$))[^/%;\\#\s]+)*\/?$/.test(path) && path !== ''
          assert.equal(scopeOf(routes, { method: 'GET', path }) === 'all', isPlain, path)
          if (isRoutePath(path)) assert.ok(isPlain, path)
        },
      ),
      800,
    ))
})
