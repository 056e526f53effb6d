import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { excess, inherited, type Rights, type TokenLimits } from '../../src/auth/limits.ts'
import { isScope } from '../../src/auth/scopes.ts'
import { isWithin } from '../support/oracle.ts'
import { holds } from '../support/property.ts'

const segment = fc.constantFrom('a', 'A', 'b', 'ab', 'a-b', 'token')
const scope = fc.oneof(
  { weight: 1, arbitrary: fc.constant('*') },
  { weight: 5, arbitrary: fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('.')) },
  {
    weight: 5,
    arbitrary: fc.array(segment, { minLength: 1, maxLength: 2 }).map((parts) => `${parts.join('.')}.*`),
  },
)
const scopes = fc.array(scope, { maxLength: 3 })
const range = fc.oneof(
  fc.constant('unix'),
  fc
    .tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 29, max: 32 }))
    .map(([last, bits]) => `10.0.0.${last}/${bits}`),
  fc.integer({ min: 0, max: 7 }).map((last) => `10.0.0.${last}`),
  fc
    .tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 125, max: 128 }))
    .map(([last, bits]) => `fd00::${last}/${bits}`),
)
const few = fc.integer({ min: 1, max: 4 })
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined, freq: 2 })
const limits = fc
  .record({
    maxUses: maybe(few),
    idleTtl: maybe(few),
    rate: maybe(fc.record({ perSecond: few, burst: few })),
    allowedIps: maybe(fc.array(range, { minLength: 1, maxLength: 3 })),
  })
  .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))
const rights = fc.record({
  scopes,
  expires: fc.option(few, { freq: 2 }),
  limits: limits as fc.Arbitrary<TokenLimits>,
})

describe('pitfall 24: what one token may give to another', () => {
  it('is exactly what it has itself, by an oracle that tries every method and address', async () => {
    await holds(
      fc.property(rights, maybe(few), rights, (parent, remaining, child) => {
        assert.equal(excess(parent, remaining, child) === undefined, isWithin(parent, remaining, child))
      }),
      20_000,
    )
  })

  it('never adds up to more than the first had, however long the chain', async () => {
    const step = fc.record({ child: rights, remaining: maybe(few) })
    await holds(
      fc.property(rights, fc.array(step, { maxLength: 5 }), (first: Rights, chain) => {
        let now = first
        for (const { child } of chain) if (excess(now, now.limits?.maxUses, child) === undefined) now = child
        assert.ok(isWithin(first, first.limits?.maxUses, now))
      }),
      5000,
    )
  })

  it('contains what a child inherits where nothing is said', async () => {
    await holds(
      fc.property(rights, maybe(few), (parent, remaining) => {
        const child = { ...parent, limits: inherited(parent, remaining) }
        assert.equal(excess(parent, remaining, child), undefined)
      }),
      100,
    )
  })

  it('is by letter: no case, no look-alike and no normal form makes two names one', async () => {
    for (const [mine, asked] of [
      ['token.get', 'Token.get'],
      ['token.*', 'TOKEN.*'],
      ['token.get', 'token.ge\u0442'],
      ['caf\u00e9.*', 'cafe\u0301.*'],
      ['token.*', 'token'],
      ['token.*', 'tokens.get'],
      ['tokenı.*', 'tokeni.*'],
    ] as const) {
      const parent = { scopes: [mine], expires: null }
      assert.equal(excess(parent, undefined, { scopes: [asked], expires: null }), 'scopes', asked)
    }
    await holds(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 12 }), (text) => {
        if (isScope(text)) assert.match(text, /^[\x21-\x7e]+$/)
      }),
      5000,
    )
  })
})
