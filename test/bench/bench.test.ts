import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { ROOT, run, startDaemon, temporaryDirectory, until } from '../support/daemon.ts'
import { accepted, call, mint } from '../support/talk.ts'
import { startBare } from './baselines/start.ts'
import { cloned } from './cloning.ts'
import type { Row } from './figure.ts'
import { Load } from './load/load.ts'
import type { RequestPlan } from './load/plan.ts'
import { Rounds, spreadOf } from './paired.ts'
import type { Report } from './report.ts'
import { withTargets } from './report.ts'
import { seedDaemon } from './seeding.ts'
import { drawSizes } from './size/drawing.ts'
import { startTime } from './size/starts.ts'

const MAIN = join(ROOT, 'test/bench/main.ts')

describe('the benchmark', () => {
  it('reports the machine, and for each row its median, quartiles, target and verdict', async (t) => {
    const file = join(temporaryDirectory(t), 'report.json')
    const args = ['--import', 'tsx', MAIN, '--form', 'smallest', '--only', '1', '--json', file]
    const { code, stdout, stderr } = await run(process.execPath, args, { cwd: ROOT })
    assert.ok(code === 0 || code === 1, stderr) // 1: missed a target, which a busy machine may
    const { machine, figures, rows, seconds } = JSON.parse(readFileSync(file, 'utf8')) as Report
    assert.deepEqual(
      figures.map(({ number }) => number),
      [1],
    )
    for (const key of ['cpu', 'kernel', 'node', 'filesystem'] as const) assert.match(machine[key], /\w/)
    for (const number of [machine.cores, machine.memoryGiB, machine.fdatasyncPerSecond, seconds])
      assert.ok(number > 0)
    for (const { name, omitted, unit, value, target, met } of rows) {
      assert.ok(stdout.includes(name))
      if (omitted !== undefined) continue
      assert.ok(unit !== undefined && value !== undefined)
      assert.ok(0 < value.lower && value.lower <= value.median && value.median <= value.upper, name)
      assert.equal(target === undefined, met === undefined)
    }
    for (const name of ['Auth.WhoAmI, loopback', 'token.get, Unix socket'])
      assert.equal(typeof rows.find((row) => row.name === name)?.met, 'boolean')
    assert.ok(rows.some(({ name }) => name.startsWith('bare node:http once more')))
  })

  it('does not count a burst in which an answer is an error', async (t) => {
    const directory = temporaryDirectory(t)
    const tokens = await seedDaemon(directory, 20)
    const daemon = await startDaemon(t, { directory })
    const load = Load.start(t)
    const lane = (request: RequestPlan, calls = 1) =>
      load.lane({ place: { socket: daemon.socket }, connections: 2, request, calls })
    const body = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","params":{"Token":"$TOKEN"},"id":1}'
    for (const protocol of ['http', 'lines', 'websocket'] as const) {
      const good = await lane({ protocol, body, tokens })
      const { calls } = await good.burst(20)
      assert.ok(calls >= 2)
      assert.ok((await good.paced(20, 200)).calls === 4)
      const wrong = await lane({ protocol, body: body.replace('WhoAmI', 'Nobody'), tokens })
      await assert.rejects(wrong.burst(20), /There is no method/)
      const refused = await lane({ protocol, body: body.replace('$TOKEN', 'pst_'), tokens })
      await assert.rejects(refused.burst(20), /The token is not valid/)
    }
    const half = `[${body},${body.replace('WhoAmI', 'Nobody')}]`
    await assert.rejects((await lane({ protocol: 'http', body: half, tokens }, 2)).burst(20), /answered/)
    // Tokens that the daemon minted itself go on behind the seeded ones.
    assert.match(await mint(daemon), /^pst_/)
  })

  it('does not count a burst during which the server goes away', async (t) => {
    const daemon = await startDaemon(t)
    const load = Load.start(t)
    const body = '{"jsonrpc":"2.0","method":"Auth.CreateApiToken","params":[60],"id":1}'
    const place = { socket: daemon.socket }
    const lane = await load.lane({ place, connections: 4, request: { protocol: 'http', body } })
    await lane.burst(20)
    const burst = lane.burst(10_000)
    const rejected = assert.rejects(burst, /closed|ECONN|EPIPE|ENOENT/)
    await daemon.stop('SIGKILL')
    await rejected
  })

  it('answers a server that asks whether it is still there, and does not count that as a call', async (t) => {
    const directory = temporaryDirectory(t)
    const tokens = await seedDaemon(directory, 20)
    const daemon = await startDaemon(t, { directory, config: '[limits]\nidle = "4s"\n' })
    const body = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","params":{"Token":"$TOKEN"},"id":1}'
    const request: RequestPlan = { protocol: 'websocket', body, tokens }
    const lane = await Load.start(t).lane({ place: { socket: daemon.socket }, connections: 2, request })
    assert.equal((await lane.paced(5_000, 12)).calls, 60)
  })

  it('asks bare servers the same, and is answered as many bytes', async (t) => {
    const load = Load.start(t)
    const body = '{"jsonrpc":"2.0","method":"a","id":1}'
    for (const protocol of ['http', 'lines', 'websocket'] as const) {
      const bare = await startBare(t, protocol, { a: { text: 'é'.repeat(300) } })
      for (const place of [{ socket: bare.socket }, { port: bare.port }]) {
        const lane = await load.lane({ place, connections: 3, pipeline: 4, request: { protocol, body } })
        assert.ok((await lane.burst(20)).calls >= 12)
      }
    }
  })

  it('tells the median of the ratios of each round, not the ratio of the medians', async () => {
    const speeds = { one: [10, 200, 30], other: [5, 1000, 10] }
    const contender = (name: 'one' | 'other') => {
      const left = [...speeds[name]]
      return { name, burst: async () => ({ rate: left.shift() as number }) }
    }
    const rounds = await Rounds.run([contender('one'), contender('other')], { rounds: 3, warmUps: 0 })
    assert.equal(rounds.ratio('one', 'other').median, 2)
    assert.deepEqual(spreadOf([4, 1, 3, 2, 5]), { median: 3, lower: 2, upper: 4 })
    assert.throws(() => rounds.spread('nobody'), /nobody is called/)
    assert.throws(() => rounds.spread('one', 'p99'), /was not measured/)
  })

  it('gives daemons a store of their own with the same tokens in it', async (t) => {
    const directory = temporaryDirectory(t)
    const count = 6_000 // more than LevelDB keeps in its log
    const { secret } = await seedDaemon(directory, count, { expired: 100 })
    const daemon = await startDaemon(t, { directory: cloned(t, directory) })
    const other = await startDaemon(t, { directory: cloned(t, directory) })
    const { json } = await call(daemon, 'Auth.RevokeApiToken', { token: secret }, { token: secret })
    assert.equal(json.error, undefined)
    assert.deepEqual([await accepted(daemon, secret), await accepted(other, secret)], [false, true])
    await until('what has ended is swept', async () => {
      const { json } = await call(other, 'token.get', { countOutput: true }, { token: secret })
      return Number(json.result) === count
    })
  })

  it('draws the medians of its rows, each where its size is', () => {
    const value = { median: 50, lower: 40, upper: 60 }
    const rows = ([10_000, 1_000_000] as const).map((size): Row => {
      return { name: startTime(size), unit: 'ms', value: { ...value, median: size === 10_000 ? 80 : 40 } }
    })
    const drawn = drawSizes([...rows, { name: startTime(100_000), omitted: 'not today' }])
    const [, places = ''] = /points="([^"]+)"/.exec(drawn) ?? []
    const points = places.split(' ').map((point) => point.split(',').map(Number))
    assert.equal(points.length, 2)
    const [[x1 = 0, y1 = 0] = [], [x2 = 0, y2 = 0] = []] = points
    assert.ok(x1 < x2 && y1 < y2) // larger to the right, less further down
    assert.doesNotMatch(drawn, /NaN|undefined|Infinity/)
  })

  it('lets no target pass that nothing was measured for', () => {
    const figure = { number: 9, name: 'nine', targets: { a: { atLeast: 1 } }, run: async () => [] }
    const value = { median: 0.9, lower: 0.8, upper: 1.1 }
    assert.throws(() => withTargets(figure, []), /a target and no measurement: a/)
    assert.equal(withTargets(figure, [{ name: 'a', unit: 'ratio', value }])[0]?.met, false)
    assert.equal(withTargets(figure, [{ name: 'a', omitted: 'no disk' }])[0]?.met, undefined)
  })
})
