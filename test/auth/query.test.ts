import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { present, select } from '../../src/auth/query.ts'
import { type Fields, type Query, queryFields, toQuery } from '../../src/auth/query-params.ts'
import { Failure } from '../../src/protocol/failures.ts'
import { object } from '../../src/protocol/schema.ts'
import { holds } from '../support/property.ts'

interface Animal {
  readonly id: string
  readonly name: string
}

/** The engine knows nothing of what it is asked about. */
const FIELDS: Fields<Animal> = {
  id: { kind: 'id', filter: true, sort: true, read: ({ id }) => id },
  name: { kind: 'text', filter: true, search: true, sort: true, read: ({ name }) => name },
}
const schema = object(queryFields(FIELDS))
const query = (params: unknown): Query => toQuery(schema.read(params, '/'))

async function* pages<T>(page: readonly T[], times = 1): AsyncGenerator<readonly T[]> {
  for (let n = 0; n < times; n++) yield page
}
const tooLarge = (error: unknown) =>
  error instanceof Failure && error.name === 'invalid_params' && /set a limit/.test(error.data ?? '')

describe('the query engine', () => {
  const page = Array.from({ length: 10_000 }, (_, n) => ({ id: String(n), name: `animal ${n % 7}` }))

  it('refuses a query that gives too much, with a hint, rather than answer it short', async () => {
    await assert.rejects(select(FIELDS, query({}), pages(page, 11)), tooLarge)
    await assert.rejects(select(FIELDS, query({ sortfield: 'name' }), pages(page, 11)), tooLarge)
  })

  it('refuses one that looks at too much', async () => {
    await assert.rejects(select(FIELDS, query({ filter: { name: 'none' } }), pages(page, 201)), tooLarge)
    await assert.rejects(select(FIELDS, query({ countOutput: true }), pages(page, 201)), tooLarge)
  })

  it('holds no more than a limit asks for, and looks no further than it must', async () => {
    let looked = 0
    async function* counted() {
      for await (const one of pages(page, 100)) {
        looked++
        yield one
      }
    }
    assert.equal(((await select(FIELDS, query({ limit: 5 }), counted())) as Animal[]).length, 5)
    assert.equal(looked, 1)
    const top = (await select(
      FIELDS,
      query({ limit: 3, sortfield: 'id', sortorder: 'DESC' }),
      pages(page, 50),
    )) as Animal[]
    assert.deepEqual(
      top.map(({ id }) => id),
      ['9999', '9999', '9999'],
    )
  })

  it('counts without holding', async () => {
    assert.equal(
      present(
        FIELDS,
        query({ countOutput: true }),
        'id',
        await select(FIELDS, query({ countOutput: true }), pages(page, 50)),
      ),
      '500000',
    )
  })

  it('sorts and limits as sorting everything and cutting would', async () => {
    const animals = fc.array(
      fc.record({ id: fc.nat({ max: 50 }).map(String), name: fc.constantFrom('a', 'B', 'ä', '😀', '') }),
      { maxLength: 60 },
    )
    await holds(
      fc.asyncProperty(
        animals,
        fc.integer({ min: 1, max: 70 }),
        fc.boolean(),
        async (rows, limit, descending) => {
          const params = { sortfield: ['name', 'id'], sortorder: descending ? 'DESC' : 'ASC', limit }
          const selected = (await select(FIELDS, query(params), pages(rows))) as Animal[]
          const order = (a: Animal, b: Animal) =>
            a.name < b.name ? -1 : a.name > b.name ? 1 : Number(a.id) - Number(b.id)
          const expected = rows.toSorted((a, b) => (descending ? -order(a, b) : order(a, b))).slice(0, limit)
          assert.deepEqual(selected, expected)
        },
      ),
      100,
    )
  })

  it('matches wildcards as the obvious expression would', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '%'), maxLength: 8 })
    await holds(
      fc.asyncProperty(
        text,
        text.map((value) => value.replaceAll('*', 'c')),
        async (pattern, value) => {
          if (pattern === '') return
          const params = { search: { name: pattern }, searchWildcardsEnabled: true, countOutput: true }
          const found = await select(FIELDS, query(params), pages([{ id: '1', name: value }]))
          const expression = new RegExp(`^${pattern.split('*').join('.*')}$`)
          assert.equal(found === 1, expression.test(value), `${pattern} ${value}`)
        },
      ),
      500,
    )
  })
})
