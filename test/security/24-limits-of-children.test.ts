import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { startDaemon } from '../support/daemon.ts'
import { make, ok, statusOf, user } from '../support/lives.ts'
import { addressesOf, reaches } from '../support/oracle.ts'
import { holds } from '../support/property.ts'
import { accepted, call, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after }, { config: '[tokens]\nlast_access_flush = "100ms"\n' })
const admin = await mint(daemon)

const OWN = ['token.*', 'Auth.*']
const bounds = fc.record(
  {
    scopes: fc.constantFrom(['token.get'], ['token.*'], ['Auth.WhoAmI', 'token.*'], ['*'], ['Token.*'], []),
    max_uses: fc.constantFrom(1, 50, 500, null),
    idle_ttl: fc.constantFrom(1, 60, 600, null),
    rate_limit: fc.constantFrom({ per_second: 5000 }, { per_second: 9000, burst: 9000 }, null),
    allowed_ips: fc.constantFrom(['unix'], ['unix', '10.0.0.0/8'], ['10.1.0.0/16'], ['::/0', 'unix'], null),
    expires_at: fc.constantFrom(0, 2_000_000_000, 2_100_000_000),
  },
  { requiredKeys: [] },
)

interface Told {
  readonly scopes: string[]
  readonly max_uses: number | null
  readonly uses: number | null
  readonly idle_ttl: number | null
  readonly rate_limit: { per_second: number; burst: number } | null
  readonly allowed_ips: string[] | null
  readonly expires_at: string
}

const FIELDS = ['scopes', 'max_uses', 'uses', 'idle_ttl', 'rate_limit', 'allowed_ips', 'expires_at']
async function told(tokenid: string): Promise<Told> {
  const [found] = await ok<Told[]>(daemon, 'token.get', { tokenids: [tokenid], output: FIELDS }, admin)
  return found as Told
}

/** Whether the one's bounds lie within the other's, as token.get tells them. `left`: uses of the parent. */
function refuseMore(child: Told, parent: Told, left: number): void {
  const within = (mine: number | null, theirs: number | null) =>
    theirs === null || (mine !== null && mine <= theirs)
  assert.ok(child.scopes.every((one) => parent.scopes.some((wider) => reaches(wider, one))))
  assert.ok(within(child.max_uses, parent.max_uses === null ? null : left))
  assert.ok(within(child.idle_ttl, parent.idle_ttl))
  assert.ok(within(child.rate_limit?.per_second ?? null, parent.rate_limit?.per_second ?? null))
  assert.ok(within(child.rate_limit?.burst ?? null, parent.rate_limit?.burst ?? null))
  assert.ok(within(Number(child.expires_at) || null, Number(parent.expires_at) || null))
  const ranges = parent.allowed_ips
  if (ranges !== null)
    assert.ok(
      child.allowed_ips?.every((one) =>
        [...addressesOf(one)].every((at) => ranges.some((wide) => addressesOf(wide).has(at))),
      ),
    )
}

describe('pitfall 24: through the daemon', () => {
  let names = 0

  it('no child exceeds its parent, whatever is asked, by token.create and token.update', async () => {
    const seen = { made: 0, changed: 0, refused: 0 }
    await holds(
      fc.asyncProperty(bounds, bounds, bounds, async (own, draft, change) => {
        const { expires_at, ...rest } = own
        const parent = await make(daemon, admin, {
          ...rest,
          scopes: OWN,
          allowed_ips: own.allowed_ips && ['unix', ...own.allowed_ips],
        })
        if (expires_at !== undefined)
          await ok(daemon, 'token.update', { tokenid: parent.tokenid, expires_at }, admin)
        const params = { name: `child-${++names}`, ...draft }
        const { json, status } = await call(daemon, 'token.create', params, { token: parent.token })
        const limit = await told(parent.tokenid)
        const left = () => (limit.max_uses ?? 0) - (limit.uses ?? 0)
        if (status !== 200) {
          seen.refused++
          return
        }
        seen.made++
        const [tokenid = ''] = (json.result as { tokenids: string[] }).tokenids
        refuseMore(await told(tokenid), limit, left())
        const before = await told(tokenid)
        await call(daemon, 'token.update', { tokenid, ...change }, { token: parent.token })
        const now = await told(tokenid)
        if (JSON.stringify(now) === JSON.stringify(before)) return
        seen.changed++
        refuseMore(now, limit, left())
      }),
      60,
      // One that is made and changed for certain; by chance alone it would be missing now and then.
      { examples: [[{}, {}, { max_uses: 50 }]] },
    )
    for (const [what, times] of Object.entries(seen)) assert.ok(times > 0, `none was ${what}`)
  })

  it('a token takes none of its own bounds away', async () => {
    const own = {
      ttl: 600,
      scopes: OWN,
      max_uses: 500,
      idle_ttl: 60,
      allowed_ips: ['unix'],
      rate_limit: { per_second: 100 },
    }
    const { token, tokenid } = await make(daemon, admin, own)
    const before = await told(tokenid)
    for (const change of [
      { scopes: ['*'] },
      { expires_at: 0 },
      { expires_at: 2_147_483_647 },
      { max_uses: null },
      { max_uses: 501 },
      { idle_ttl: null },
      { idle_ttl: 61 },
      { allowed_ips: null },
      { allowed_ips: ['unix', '127.0.0.1'] },
      { rate_limit: null },
      { rate_limit: { per_second: 101 } },
      { rate_limit: { per_second: 100, burst: 101 } },
    ])
      assert.equal(await statusOf(daemon, 'token.update', { tokenid, ...change }, token), 403)
    assert.deepEqual({ ...(await told(tokenid)), uses: 0 }, { ...before, uses: 0 })
  })

  for (const [what, wide] of [
    ['wider scopes', {}],
    ['no end', { scopes: OWN }],
    ['addresses beyond its own', { scopes: OWN, ttl: 60, allowed_ips: ['127.0.0.1'] }],
  ] as const)
    it(`a token gets no secret of one with ${what}: token.generate, token.rotate, all or nothing`, async () => {
      const userid = await user(daemon, admin)
      const own = { userid, ttl: 600, scopes: OWN, allowed_ips: ['unix'] }
      const { token } = await make(daemon, admin, own)
      const target = await make(daemon, admin, { userid, ...wide })
      const twin = await make(daemon, admin, { ...own, ttl: 60 })
      assert.equal(await statusOf(daemon, 'token.generate', [twin.tokenid, target.tokenid], token), 403)
      for (const grace of [0, 60])
        assert.equal(await statusOf(daemon, 'token.rotate', { tokenid: target.tokenid, grace }, token), 403)
      assert.equal(await statusOf(daemon, 'Auth.WhoAmI', {}, twin.token), 200)
      await ok(daemon, 'token.rotate', { tokenid: twin.tokenid }, token)
    })

  it('a token neither enables a wider one nor lets it begin earlier', async () => {
    const { token } = await make(daemon, admin, { scopes: ['token.update'] })
    const later = Math.floor(Date.now() / 1000) + 3600
    const waiting = await make(daemon, admin, { not_before: later })
    const disabled = await make(daemon, admin)
    await ok(daemon, 'token.update', { tokenid: disabled.tokenid, status: 1 }, admin)
    assert.equal(await statusOf(daemon, 'token.update', { tokenid: disabled.tokenid, status: 0 }, token), 403)
    for (const not_before of [null, 0, later - 3000])
      assert.equal(
        await statusOf(daemon, 'token.update', { tokenid: waiting.tokenid, not_before }, token),
        403,
      )
    assert.ok(!(await accepted(daemon, waiting.token)))
  })

  it('an old secret in its grace comes by nothing that outlives it', async () => {
    const { token, tokenid } = await make(daemon, admin)
    await ok(daemon, 'token.rotate', { tokenid, grace: 60 }, admin)
    assert.equal(await statusOf(daemon, 'token.create', { name: 'heir', expires_at: 0 }, token), 403)
    assert.equal(await statusOf(daemon, 'token.rotate', { tokenid }, token), 403)
    assert.equal(await statusOf(daemon, 'token.generate', [tokenid], token), 403)
  })
})
