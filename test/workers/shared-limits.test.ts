import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, describe, it } from 'node:test'
import { type Daemon, type Scope, startDaemon, until } from '../support/daemon.ts'
import { type Lines, make, ok } from '../support/lives.ts'
import { mint, type Response } from '../support/talk.ts'
import { accepted, Census, onEachWorker } from '../support/workers.ts'

const MOST = 20
const daemon = await startDaemon(
  { after },
  {
    config: `
      [listen]
      workers = 3
      [limits]
      connections_per_address = ${MOST}
      [rate]
      failures_per_address = "1/h"
      [tokens]
      last_access_flush = "1h"`,
  },
)
const admin = await mint(daemon)
const census = await Census.begin({ after }, daemon, admin)
const byWorker = await onEachWorker(census, 2, () => accepted({ after }, daemon))
const lines = byWorker.map(([line]) => line as Lines)
const [first, second, third] = lines as [Lines, Lines, Lines]
/** Before a test has connections of its own. */
const idle = await census.take()

/** So many calls at once, in turn on each worker; how many of them come to what. */
async function tally(count: number, params: object): Promise<Map<number, number>> {
  const calls = Array.from({ length: count }, (_, n) =>
    lines[n % lines.length]?.call('token.get', { limit: 1, ...params }),
  )
  const codes = new Map<number, number>()
  for (const answer of await Promise.all(calls)) {
    const code = answer?.error?.code ?? 0
    codes.set(code, (codes.get(code) ?? 0) + 1)
  }
  return codes
}

describe('with several workers', () => {
  it('a token that may be used seven times is used seven times, of 200 at once', async () => {
    for (let round = 0; round < 5; round++) {
      const { token, tokenid } = await make(daemon, admin, { max_uses: 7 })
      assert.deepEqual(
        await tally(200, { Token: token }),
        new Map(
          [
            [0, 7],
            [-32001, 193],
          ].map(pair),
        ),
      )
      const params = { tokenids: [tokenid], output: ['uses'] }
      assert.deepEqual(await ok(daemon, 'token.get', params, admin), [{ uses: 7 }])
    }
  })

  it('a token makes as many calls as its rate allows, on all of them together', async () => {
    const { token } = await make(daemon, admin, { rate_limit: { per_second: 1, burst: 50 } })
    const began = performance.now()
    const { taken = 0, refused = 0 } = nameCodes(await tally(300, { Token: token }))
    const most = 50 + (performance.now() - began) / 1000
    assert.ok(taken >= 50 && taken <= most && taken + refused === 300, `${taken} of ${most}`)
    // In one breath with calls that take what has come back since.
    const spent = Array.from({ length: 60 }, () => first.call('token.get', { limit: 1, Token: token }))
    const explained = first.call('token.explain', { Token: admin, token, method: 'token.get' })
    const answers = (await Promise.all([...spent, explained])) as Response[]
    const rules = answers.map(({ result }) => (result as { rule?: string } | undefined)?.rule)
    assert.ok(rules.includes('rate_limit'), JSON.stringify(answers.at(-1)))
  })

  it('what one of them has seen of a personal signed token, the others tell at once', async () => {
    await ok(
      daemon,
      'jwt.configure',
      { name: 'own', secret: 'x'.repeat(64), enable: '1', self_service: '1' },
      admin,
    )
    for (const line of lines) {
      const { token, jti } = await ok<{ token: string; jti: string }>(daemon, 'jwt.personal.issue', {}, admin)
      assert.equal((await line.call('Auth.WhoAmI', { Token: token }))?.error, undefined)
      for (const other of lines) {
        const { result } = (await other.call('jwt.personal.list', { Token: admin })) as Response
        const found = (result as { jti: string; last_used_at: number | null }[]).find(
          (one) => one.jti === jti,
        )
        assert.ok(found?.last_used_at)
      }
    }
  })

  it('unknown tokens are counted together', async () => {
    const codes = await tally(90, { Token: `pst_${'A'.repeat(49)}` })
    assert.deepEqual(
      codes,
      new Map(
        [
          [-32001, 1],
          [-32029, 89],
        ].map(pair),
      ),
    )
    assert.equal((await tally(30, { Token: admin })).get(0), 30)
  })

  it('one address has as many connections as it may, whoever accepts them, and again when they are closed', async (t) => {
    for (let round = 0; round < 3; round++) {
      const sockets = await Promise.all(Array.from({ length: 4 * MOST }, () => knock(t, daemon)))
      const open = sockets.filter(({ status }) => status === 404)
      assert.deepEqual([open.length, sockets.length - open.length], [MOST, 3 * MOST])
      assert.ok(sockets.every(({ status }) => status === 404 || status === 429))
      for (const { socket } of sockets) socket.destroy()
      await until('they are gone', async () => sum(await census.take()) <= sum(idle))
    }
  })

  it('what one of them has seen of a token, the others tell at once, before it is written', async () => {
    for (const line of lines) {
      const { token, tokenid } = await make(daemon, admin)
      const seen = async () =>
        Promise.all(
          lines.map(async (other) => {
            const params = { Token: admin, tokenids: [tokenid], output: ['lastaccess'] }
            const { result } = (await other.call('token.get', params)) as Response
            return (result as { lastaccess: string }[])[0]?.lastaccess
          }),
        )
      assert.deepEqual(new Set(await seen()), new Set(['0']))
      await line.call('Auth.WhoAmI', { Token: token })
      const [one, ...others] = await seen()
      assert.ok(Number(one) > 0)
      for (const other of others) assert.equal(other, one)
    }
  })

  it('a backup that was begun on one of them is read and ended on another', async () => {
    const { result } = (await second.call('backup.begin', { Token: admin })) as Response
    const { backup } = result as { backup: string }
    const page = (await third.call('backup.read', { Token: admin, backup })) as Response
    assert.ok((page.result as { entries: unknown[] }).entries.length > 0)
    await first.call('backup.end', { Token: admin, backup })
    const gone = (await second.call('backup.read', { Token: admin, backup })) as Response
    assert.match(gone.error?.data ?? '', /no such backup/)
  })

  it('calls are counted together', async () => {
    const before = await countOf('rpc.discover')
    for (const line of byWorker.flat()) await line.call('rpc.discover', { Token: admin })
    assert.equal((await countOf('rpc.discover')) - before, byWorker.flat().length)
  })
})

function nameCodes(codes: ReadonlyMap<number, number>) {
  return { taken: codes.get(0), refused: codes.get(-32029) }
}

function pair([code, count]: number[]): [number, number] {
  return [code as number, count as number]
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}

/** A TCP connection, and the status of what it is answered. */
async function knock(t: Scope, { port }: Daemon): Promise<{ socket: Socket; status: number }> {
  const socket = connect(port, '127.0.0.1')
  t.after(() => void socket.destroy())
  socket.on('error', () => {})
  socket.write('GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const [answer] = await Promise.race([once(socket, 'data'), once(socket, 'close')])
  return { socket, status: Number(/^HTTP\/1.1 (\d+)/.exec(String(answer))?.[1]) }
}

async function countOf(method: string): Promise<number> {
  const text = await ok<string>(daemon, 'system.metrics', {}, admin)
  const row = new RegExp(`^postern_calls_total\\{method="${method}",outcome="ok"\\} (\\d+)$`, 'm')
  return Number(row.exec(text)?.[1] ?? 0)
}
