import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { orderedNumber } from '../../src/store/store.ts'
import { startDaemon, until } from '../support/daemon.ts'
import { conversation, eventsUntil, make, ok, user, type WatchEvent } from '../support/lives.ts'
import { tamper } from '../support/stored.ts'
import { accepted, call, mint, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after }, { config: '[tokens]\nlast_access_flush = "100ms"\n' })
const admin = await mint(daemon)
const is = (event: string, tokenid: string) => (told: WatchEvent) =>
  told.event === event && told.tokenid === tokenid

describe('token.watch', () => {
  it('tells what happens to tokens, numbered as in the audit log, over lines and a WebSocket', async (t) => {
    const lines = conversation(t, daemon)
    const ws = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${admin}` } })
    assert.ok((await lines.call('token.watch', { Token: admin }))?.result)
    assert.ok((await ws.call('token.watch', {})).result)
    const { tokenid, name, token } = await make(daemon, admin)
    await ok(daemon, 'token.update', { tokenid, description: 'x' }, admin)
    await ok(daemon, 'token.rotate', { tokenid }, admin)
    await accepted(daemon, token)
    await ok(daemon, 'token.generate', [tokenid], admin)
    await ok(daemon, 'Auth.RevokeApiToken', { tokenid }, admin)
    const isLast = is('revoked', tokenid)
    const all = await Promise.all([eventsUntil(lines, isLast), eventsUntil(ws as never, isLast)])
    for (const events of all) {
      const mine = events.filter((told) => told.tokenid === tokenid)
      const ours = mine.filter(({ event }) => event !== 'late_use')
      assert.deepEqual(
        ours.map(({ event }) => event),
        ['created', 'updated', 'rotated', 'generated', 'revoked'],
      )
      assert.ok(mine.every((told) => told.name === name && told.userid === '1'))
      const log = await ok<{ seq: number; event: string }[]>(daemon, 'audit.get', { tokenid }, admin)
      assert.deepEqual(
        mine.map(({ number }) => number).reverse(),
        log.map(({ seq }) => seq),
      )
    }
  })

  it('tells of late uses, expiry, rest and the last use as well', async (t) => {
    const lines = conversation(t, daemon)
    await lines.call('token.watch', { Token: admin })
    const late = await make(daemon, admin)
    await ok(daemon, 'token.rotate', { tokenid: late.tokenid }, admin)
    await accepted(daemon, late.token)
    const [told] = (await eventsUntil(lines, is('late_use', late.tokenid))).slice(-1)
    assert.equal(told?.address, 'unix')
    const used = await make(daemon, admin, { max_uses: 1 })
    await accepted(daemon, used.token)
    await eventsUntil(lines, is('used_up', used.tokenid))
    const short = await make(daemon, admin, { ttl: 1 })
    await eventsUntil(lines, is('expired', short.tokenid))
    const idle = await make(daemon, admin, { idle_ttl: 1 })
    await eventsUntil(lines, is('rested', idle.tokenid))
  })

  it('resumes where it was, also after a restart: nothing twice, nothing left out', async (t) => {
    const first = await startDaemon(t)
    const by = await mint(first)
    const before = conversation(t, first)
    await before.call('token.watch', { Token: by, after: 0 })
    const one = await make(first, by)
    const seen = await eventsUntil(before, is('created', one.tokenid))
    before.close()
    const two = await make(first, by)
    await ok(first, 'token.delete', [one.tokenid], by)
    await first.stop('SIGKILL')

    const again = await startDaemon(t, { directory: first.directory })
    const resumed = conversation(t, again)
    const last = seen.at(-1)?.number ?? 0
    const answer = await resumed.call('token.watch', { Token: by, after: last })
    assert.deepEqual(answer?.result, { after: last })
    const three = await make(again, by)
    const rest = await eventsUntil(resumed, is('created', three.tokenid))
    assert.deepEqual(
      rest.map(({ event, tokenid }) => [event, tokenid]),
      [
        ['created', two.tokenid],
        ['deleted', one.tokenid],
        ['created', three.tokenid],
      ],
    )
    const whole = conversation(t, again)
    await whole.call('token.watch', { Token: by, after: 0 })
    assert.deepEqual(await eventsUntil(whole, is('created', three.tokenid)), [...seen, ...rest])
  })

  it('says that events are missing which retention has cut', async (t) => {
    const first = await startDaemon(t)
    const by = await mint(first)
    for (let n = 0; n < 6; n++) await mint(first)
    const lines = await ok<{ seq: number }[]>(first, 'audit.get', { limit: 1000 }, by)
    await first.stop()
    const cut = (lines[0]?.seq ?? 0) - 2
    const gone = Array.from({ length: cut }, (_, at) => ({ key: `e/${orderedNumber(at + 1)}`, write: null }))
    await tamper(first.stateDir, gone)

    const again = await startDaemon(t, { directory: first.directory })
    for (const [from, missing] of [
      [0, { event: 'gap', from: 1, to: cut }],
      [2, { event: 'gap', from: 3, to: cut }],
    ] as const) {
      const watch = conversation(t, again)
      await watch.call('token.watch', { Token: by, after: from })
      const [told, ...rest] = await eventsUntil(watch, ({ number }) => number === lines[0]?.seq)
      assert.deepEqual(told, missing)
      assert.ok(rest.every(({ event }) => event !== 'gap'))
    }
  })

  it('shows a plain user nothing of anybody else', async (t) => {
    const [mine, theirs] = [await user(daemon, admin), await user(daemon, admin, 'superadmin')]
    const { token } = await make(daemon, admin, { userid: mine })
    const lines = conversation(t, daemon)
    await lines.call('token.watch', { Token: token, after: 0 })
    const foreign = await make(daemon, admin, { userid: theirs })
    await ok(daemon, 'token.delete', [foreign.tokenid], admin)
    await ok(daemon, 'user.delete', [theirs], admin)
    const own = await make(daemon, admin, { userid: mine })
    const seen = await eventsUntil(lines, is('created', own.tokenid))
    assert.deepEqual(new Set(seen.map(({ userid }) => userid)), new Set([mine]))
  })

  it('holds no secret', async (t) => {
    const lines = conversation(t, daemon)
    await lines.call('token.watch', { Token: admin })
    const { token, tokenid } = await make(daemon, admin)
    const rotated = await ok<{ token: string }>(daemon, 'token.rotate', { tokenid }, admin)
    const seen = JSON.stringify(await eventsUntil(lines, is('rotated', tokenid)))
    for (const secret of [token, rotated.token, admin]) assert.ok(!seen.includes(secret.slice(4, 40)))
  })

  it('is refused over plain HTTP, from a number that was never given, and too often on one connection', async (t) => {
    assert.equal((await call(daemon, 'token.watch', {}, { token: admin })).status, 400)
    const lines = conversation(t, daemon)
    const code = async (params: object) =>
      (await lines.call('token.watch', { Token: admin, ...params }))?.error?.code
    assert.equal(await code({ after: Number.MAX_SAFE_INTEGER }), -32009)
    for (const bad of [-1, 1.5, '1', null]) assert.equal(await code({ after: bad }), -32602)
    for (let n = 0; n < 16; n++) assert.equal(await code({}), undefined)
    assert.equal(await code({}), -32029)
  })

  it('is let go of when its client goes', async (t) => {
    const own = await startDaemon(t)
    const by = await mint(own)
    for (let n = 0; n < 50; n++) {
      const lines = conversation(t, own)
      await lines.call('token.watch', { Token: by })
      lines.close()
    }
    type Info = { counts: { connections: number } }
    await until(
      'all are gone',
      async () => (await ok<Info>(own, 'system.info', {}, by)).counts.connections <= 1,
    )
  })
})
