import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import type { TokenCaller } from '../../src/auth/caller.ts'
import { type TokenRecord, type UserRecord, userKey } from '../../src/auth/records.ts'
import { TokenGet } from '../../src/auth/token-get.ts'
import { TokenObjects } from '../../src/auth/token-objects.ts'
import { TokenRenewal } from '../../src/auth/token-renewal.ts'
import { Failure } from '../../src/protocol/failures.ts'
import { authority, keys } from '../support/parts.ts'
import { holds } from '../support/property.ts'

/** The model: what a token is to the outside. */
interface Model {
  readonly id: string
  name: string
  readonly user: string
  status: number
  secret: string | undefined
}

const NAMES = ['a', 'b', 'c', 'd']
const name = fc.constantFrom(...NAMES)
const pick = fc.nat({ max: 30 })
const step = fc.oneof(
  fc.record({
    do: fc.constant('create' as const),
    names: fc.array(name, { minLength: 1, maxLength: 3 }),
    by: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('rename' as const),
    which: fc.array(pick, { minLength: 1, maxLength: 3 }),
    to: name,
    by: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('status' as const),
    which: fc.array(pick, { minLength: 1, maxLength: 2 }),
    status: fc.nat({ max: 1 }),
    by: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('generate' as const),
    which: fc.array(pick, { minLength: 1, maxLength: 2 }),
    by: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('delete' as const),
    which: fc.array(pick, { minLength: 1, maxLength: 2 }),
    by: fc.boolean(),
  }),
)

/** Whether something is refused; the outcome otherwise. */
async function attempt<T>(work: () => Promise<T>): Promise<T | 'refused'> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Failure) return 'refused'
    throw error
  }
}

it('any sequence of create, update, generate and delete agrees with a simple model, and no two tokens of a user share a name', async () => {
  await holds(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const parts = await authority()
      const { store, tokens, users, verifier, pepper } = parts
      const objects = new TokenObjects({ ...parts, tokens })
      const renewal = new TokenRenewal(parts)
      const get = new TokenGet({ ...parts, pepper })
      const plain: UserRecord = {
        id: '2',
        username: 'plain',
        name: '',
        surname: '',
        type: 'user',
        status: 'enabled',
      }
      await store.commit({ steps: [{ key: userKey('2'), write: JSON.stringify(plain) }] })
      users.signal(JSON.stringify({ kind: 'user', id: '2', user: plain }))
      const callerOf = (superadmin: boolean): TokenCaller => {
        const user = users.find(superadmin ? '1' : '2') as UserRecord
        const scopes: readonly string[] = ['*']
        const token = { id: '0', scopes, expires: null, expiresAt: 0 } as TokenRecord
        const live = { record: token, hash: '', version: 1, stale: false, used: false, access: undefined }
        return { kind: 'token', address: '', live, token, user, at: 0, fixed: true }
      }
      const model = new Map<string, Model>()
      const dead: string[] = []
      const made: string[] = []

      for (const one of steps) {
        const caller = callerOf(one.by)
        const ids =
          'which' in one
            ? [...new Set(one.which.map((at) => made[at % Math.max(1, made.length)] ?? '999'))]
            : []
        const held = ids.map((id) => model.get(id))
        const permitted = held.every((token) => token !== undefined && (one.by || token.user === '2'))
        const taken = (wanted: string, user: string) =>
          [...model.values()].some((token) => token.user === user && token.name === wanted)

        if (one.do === 'create') {
          const owner = caller.user.id
          const fails =
            new Set(one.names).size < one.names.length || one.names.some((wanted) => taken(wanted, owner))
          const outcome = await attempt(() =>
            objects.create(
              one.names.map((wanted) => ({ name: wanted })),
              caller,
            ),
          )
          assert.equal(outcome === 'refused', fails)
          if (outcome === 'refused') continue
          outcome.forEach((id, at) => {
            made.push(id)
            model.set(id, { id, name: one.names[at] as string, user: owner, status: 0, secret: undefined })
          })
        } else if (one.do === 'rename') {
          const [only] = held
          const fails =
            !permitted ||
            (ids.length > 1 && sameOwnerTwice(held)) ||
            held.some((token) => token !== undefined && token.name !== one.to && taken(one.to, token.user))
          const outcome = await attempt(() =>
            objects.update(
              ids.map((tokenid) => ({ tokenid, name: one.to })),
              caller,
            ),
          )
          assert.equal(outcome === 'refused', fails, JSON.stringify({ one, only }))
          if (outcome !== 'refused') for (const token of held) if (token) token.name = one.to
        } else if (one.do === 'status') {
          const outcome = await attempt(() =>
            objects.update(
              ids.map((tokenid) => ({ tokenid, status: one.status })),
              caller,
            ),
          )
          assert.equal(outcome === 'refused', !permitted)
          if (outcome !== 'refused') for (const token of held) if (token) token.status = one.status
        } else if (one.do === 'generate') {
          const outcome = await attempt(() => renewal.generate(ids, caller))
          assert.equal(outcome === 'refused', !permitted)
          if (outcome === 'refused') continue
          for (const { tokenid, token } of outcome) {
            const entry = model.get(tokenid) as Model
            if (entry.secret !== undefined) dead.push(entry.secret)
            entry.secret = token
          }
        } else {
          const outcome = await attempt(() => objects.delete(ids, caller))
          assert.equal(outcome === 'refused', !permitted)
          if (outcome === 'refused') continue
          for (const token of held) {
            if (token?.secret !== undefined) dead.push(token.secret)
            if (token !== undefined) model.delete(token.id)
          }
        }
      }

      const rows = (await get.get(
        { output: ['tokenid', 'name', 'userid', 'status'], sortfield: ['tokenid'] },
        callerOf(true),
      )) as object[]
      const expected = [...model.values()].sort((a, b) => Number(a.id) - Number(b.id))
      assert.deepEqual(
        rows,
        expected.map(({ id, name, user, status }) => ({
          tokenid: id,
          name,
          userid: user,
          status: String(status),
        })),
      )
      for (const { secret, status } of model.values()) {
        if (secret !== undefined) assert.equal((await verifier.verify(secret)) !== undefined, status === 0)
      }
      for (const secret of dead) assert.equal(await verifier.verify(secret), undefined)
      const names = expected.map(({ user, name }) => `${user}/${name}`)
      assert.equal(new Set(names).size, names.length)
      const indexed = (await keys(store)).filter((key) => key.startsWith('n/')).map((key) => key.slice(2))
      assert.deepEqual(indexed.sort(), names.sort())
    }),
    150,
  )
})

function sameOwnerTwice(held: readonly (Model | undefined)[]): boolean {
  const owners = held.map((token) => token?.user)
  return new Set(owners).size < owners.length
}
