import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import pino from 'pino'
import { loadConfig } from '../../src/config.ts'
import { startDaemon } from '../../src/daemon.ts'
import { postern, type Scope, temporaryDirectory, until } from '../support/daemon.ts'
import { accepted, call, mint } from '../support/talk.ts'

const DAY = 86_400_000
const YEAR = 365 * DAY
/** Two seconds behind the start it is swept, and then every minute: the first time may have been before there was anything. */
const SWEPT_WITHIN_MS = 90_000
const NOTHING = { unix: [], tcp: [], remote: [], diag: [] }

/** A daemon in this process, on a machine whose clocks are set by hand. */
async function machine(t: Scope) {
  const directory = temporaryDirectory(t)
  const socket = join(directory, 's.sock')
  const { config } = loadConfig({ stateDir: join(directory, 'state'), socket, port: '0' }, 'daemon', {})
  const logged: string[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => logged.push(line) })
  const clocks = { wall: Date.now(), monotonic: 1000 }
  const time = { wall: () => clocks.wall, monotonic: () => clocks.monotonic }
  const start = () => startDaemon(config, { log, inherited: NOTHING, reread: () => config, time })
  let running = await start()
  t.after(() => void running.close())
  return {
    // What talks to a daemon needs no more of it than this.
    daemon: { socket, port: running.port } as Parameters<typeof mint>[0],
    logged,
    clocks,
    /** Time passes on both clocks. */
    pass(milliseconds: number) {
      clocks.wall += milliseconds
      clocks.monotonic += milliseconds
    },
    async restart({ wall = clocks.wall } = {}) {
      await running.close()
      clocks.wall = wall
      clocks.monotonic = 5 // another boot
      running = await start()
    },
  }
}

describe('pitfall 18: a clock that steps back revives nothing', () => {
  for (const back of [1000, DAY, YEAR]) {
    it(`${back / 1000} seconds back across a restart: what had expired stays dead, what lived lives on`, async (t) => {
      const { daemon, clocks, pass, restart } = await machine(t)
      const dead = await mint(daemon, { ttl: 60 })
      const alive = await mint(daemon, { ttl: 3600 })
      pass(60_000)
      assert.deepEqual([await accepted(daemon, dead), await accepted(daemon, alive)], [false, true])
      await restart({ wall: clocks.wall - back })
      assert.deepEqual([await accepted(daemon, dead), await accepted(daemon, alive)], [false, true])
      pass(3_600_000)
      assert.ok(!(await accepted(daemon, alive)), 'it lives no longer than it was to')
    })
  }

  it('a day back while it runs: likewise, and what is minted then lives as long as it is to', async (t) => {
    const { daemon, clocks, pass } = await machine(t)
    const dead = await mint(daemon, { ttl: 60 })
    pass(60_000)
    assert.ok(!(await accepted(daemon, dead)))
    clocks.wall -= DAY
    assert.ok(!(await accepted(daemon, dead)))
    const token = await mint(daemon, { ttl: 60 })
    pass(59_999)
    assert.ok(await accepted(daemon, token))
    pass(1)
    assert.ok(!(await accepted(daemon, token)))
  })
})

describe('pitfall 18: a clock that leaps ahead', () => {
  it('by a year is reported once, sweeps nothing, and has ruined nothing when it is put right', async (t) => {
    const { daemon, clocks, logged, pass, restart } = await machine(t)
    const month = await mint(daemon, { ttl: 30 * 86_400, name: 'month' })
    const forever = await mint(daemon, { ttl: 0 })
    clocks.wall += YEAR
    assert.deepEqual([await accepted(daemon, month), await accepted(daemon, forever)], [false, true])
    await restart() // which sweeps
    assert.ok(!(await accepted(daemon, month)))
    const seen = logged.filter((line) => line.includes('the clock is far ahead'))
    assert.equal(seen.length, 2) // once for each start
    assert.equal(JSON.parse(seen[0] ?? '').days, 365)
    pass(3_600_000)
    clocks.wall -= YEAR
    await restart()
    assert.deepEqual([await accepted(daemon, month), await accepted(daemon, forever)], [true, true])
    const { json } = await call(daemon, 'token.get', { filter: { name: 'month' } }, { token: forever })
    assert.equal((json.result as unknown[]).length, 1)
  })

  it('what is minted during a leap does not outlive its time once the clock is put right', async (t) => {
    const { daemon, clocks, pass } = await machine(t)
    clocks.wall += YEAR
    const token = await mint(daemon, { ttl: 60 })
    pass(1000)
    clocks.wall -= YEAR
    pass(60_000)
    assert.ok(!(await accepted(daemon, token)))
  })

  it('is believed for good after a day, and postern clock reset puts that right, on record', async (t) => {
    const { daemon, clocks, pass, restart } = await machine(t)
    const month = await mint(daemon, { ttl: 30 * 86_400 })
    clocks.wall += YEAR
    assert.ok(!(await accepted(daemon, month)))
    pass(DAY)
    assert.ok(!(await accepted(daemon, month)))
    clocks.wall -= YEAR
    await restart()
    assert.ok(!(await accepted(daemon, month)), 'it was believed, and nothing runs back by itself')

    const { code, stdout } = await postern(['clock', 'reset', '--socket', daemon.socket])
    assert.equal(code, 0)
    const { before, now } = JSON.parse(stdout) as { before: number; now: number }
    assert.ok(before - now > 300 * DAY)
    assert.equal(now, clocks.wall)
    const token = await mint(daemon)
    const { json } = await call(daemon, 'audit.get', { event: 'clock.reset' }, { token })
    const [line] = json.result as { by: { kind: string }; before: number; now: number }[]
    assert.deepEqual([line?.by.kind, line?.before, line?.now], ['token', before, now])
    await restart()
    assert.ok(await accepted(daemon, token))
    const verified = await postern(['audit', 'verify', '--socket', daemon.socket])
    assert.deepEqual(JSON.parse(verified.stdout).faults, [])
  })

  it('what was swept while a clock far ahead was believed is not accepted once it is put right', async (t) => {
    const { daemon, clocks, pass } = await machine(t)
    const admin = await mint(daemon)
    const short = await mint(daemon, { ttl: 60, name: 'short' })
    assert.ok(await accepted(daemon, short), 'it is kept in memory from now on')
    clocks.wall += YEAR
    assert.ok(await accepted(daemon, admin)) // sees the leap
    pass(DAY)
    const isSwept = async () => {
      const { json } = await call(daemon, 'audit.get', { event: 'token.sweep' }, { token: admin })
      return (json.result as unknown[]).length === 1
    }
    await until('it is swept', isSwept, SWEPT_WITHIN_MS)
    clocks.wall -= YEAR + DAY
    await call(daemon, 'clock.reset', {}, { token: admin })
    assert.ok(!(await accepted(daemon, short)), 'nobody could find it to revoke it')
  })

  it('of the calls that ask for it, only a superadmin’s puts the clock right', async (t) => {
    const { daemon } = await machine(t)
    const token = await mint(daemon)
    const { json } = await call(daemon, 'user.create', [{ username: 'plain' }], { token })
    const [userid] = (json.result as { userids: string[] }).userids
    const plain = await mint(daemon, { ttl: 60, userid })
    const scoped = await mint(daemon, { ttl: 60, scopes: ['token.*'] })
    for (const other of [plain, scoped])
      assert.equal((await call(daemon, 'clock.reset', {}, { token: other })).status, 403)
  })
})
