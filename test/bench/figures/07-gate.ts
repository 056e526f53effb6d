import { type Daemon, temporaryDirectory } from '../../support/daemon.ts'
import { type Server, startBare } from '../baselines/start.ts'
import type { Bench, Figure, Row } from '../figure.ts'
import type { LanePlan, RequestPlan } from '../load/plan.ts'
import { startMeasuredDaemon } from '../measured-daemon.ts'
import { Rounds } from '../paired.ts'
import { type Seeded, seedDaemon } from '../seeding.ts'

const TOKENS = 10_000
const CONNECTIONS = 50
const BURST_MS = 100
/** Calls. */
const WARM_UP = 2 * TOKENS

const FORM = 'application/x-www-form-urlencoded'
const ECHO = '{"jsonrpc":"2.0","method":"up.echo","params":{"text":"hello"},"id":1}'
/** What a bare server answers is as long as an introspection: in all, 122 bytes. */
const AS_LONG = '{"active":true,"scope":"*","client_id":"1","username":"Admin","sub":"1","jti":"10000001"}'
const INTROSPECTED = '{"jsonrpc":"2.0","method":"introspect","id":1}'

const FORWARD_AUTH = 'forward-auth, against a bare GET'
const INTROSPECTION = 'introspection, against a bare POST'
const GATEWAYED = 'a gatewayed call, against the service called directly'

interface Field {
  readonly tokens: Seeded
  readonly postern: Daemon
  /** The service behind the gate, and the bare server of every comparison. */
  readonly service: Server
  readonly control: Server
}

const figure: Figure = {
  number: 7,
  name: `What others ask of the gate over loopback, ${TOKENS} tokens, ${CONNECTIONS} connections`,
  targets: { [FORWARD_AUTH]: { atLeast: 0.95 }, [GATEWAYED]: { atLeast: 0.45 } },
  async run(bench) {
    const field = await prepare(bench)
    return rowsOf(await measure(bench, field))
  },
}
export default figure

async function prepare(bench: Bench): Promise<Field> {
  const { scope } = bench
  const directory = temporaryDirectory(scope)
  const tokens = await seedDaemon(directory, bench.tokens(TOKENS))
  const results = { 'up.echo': { text: 'hello' }, introspect: JSON.parse(AS_LONG) }
  const service = await startBare(scope, 'http', results)
  const url = `http://127.0.0.1:${service.port}/`
  const config = `[[upstream]]\nname = "up"\nnamespace = "up."\nurl = "${url}"\nmethods = ["up.echo"]\n`
  const postern = await startMeasuredDaemon(scope, { directory, config })
  return { tokens, postern, service, control: await startBare(scope, 'http', results) }
}

/** By who is asked for what. */
function plansOf({ tokens, postern, service, control }: Field): Readonly<Record<string, LanePlan>> {
  const plan = (
    { port }: Server | Daemon,
    request: Omit<RequestPlan, 'protocol'>,
    more: Partial<LanePlan> = {},
  ) => ({
    place: { port },
    connections: CONNECTIONS,
    request: { protocol: 'http' as const, bearer: true, tokens, ...request },
    ...more,
  })
  const empty = { status: 204, wanted: '' }
  const form = { target: 'POST /oauth2/introspect', contentType: FORM, body: 'token=$TOKEN' }
  return {
    'forward-auth': plan(postern, { target: 'GET /auth', body: '' }, empty),
    'bare GET': plan(service, { target: 'GET /auth', body: '' }, empty),
    control: plan(control, { target: 'GET /auth', body: '' }, empty),
    introspection: plan(postern, form, { wanted: '"active":true' }),
    'bare POST': plan(service, { body: INTROSPECTED }),
    gatewayed: plan(postern, { body: ECHO }),
    direct: plan(service, { body: ECHO }),
  }
}

async function measure(bench: Bench, field: Field): Promise<Rounds> {
  const contenders = []
  for (const [name, plan] of Object.entries(plansOf(field))) {
    await bench.warm(plan, WARM_UP)
    contenders.push(await bench.asking(name, plan, BURST_MS))
  }
  return Rounds.run(contenders, bench.rounds(15))
}

function rowsOf(rounds: Rounds): Row[] {
  return [
    { name: 'bare node:http once more', unit: 'ratio', value: rounds.ratio('control', 'bare GET') },
    { name: FORWARD_AUTH, unit: 'ratio', value: rounds.ratio('forward-auth', 'bare GET') },
    { name: INTROSPECTION, unit: 'ratio', value: rounds.ratio('introspection', 'bare POST') },
    { name: GATEWAYED, unit: 'ratio', value: rounds.ratio('gatewayed', 'direct') },
    { name: 'forward-auth', unit: 'calls/s', value: rounds.spread('forward-auth') },
    { name: 'introspection', unit: 'calls/s', value: rounds.spread('introspection') },
    { name: 'gatewayed calls', unit: 'calls/s', value: rounds.spread('gatewayed') },
  ]
}
