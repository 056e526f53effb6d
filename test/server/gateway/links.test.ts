import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { type Daemon, logged, startDaemon } from '../../support/daemon.ts'
import { conversation } from '../../support/lives.ts'
import { call, http, mint, type Response, webSocket } from '../../support/talk.ts'
import { BIG, type Fake, KINDS, namespaceOf, obey, table, upstream } from '../../support/upstreams.ts'

const fakes = await Promise.all(KINDS.map((kind) => upstream({ after }, kind)))
/** Each is upstream twice: where a call has to wait in vain, it waits for less. */
const HASTY = 'hasty_'
const config = fakes.flatMap((fake) => [
  table(fake),
  table(fake, { name: HASTY + fake.kind, namespace: HASTY + namespaceOf(fake.kind), timeout: '3s' }),
])
const daemon: Daemon = await startDaemon({ after }, { config: config.join('') })
const token = await mint(daemon)

const ask = ({ kind }: Fake, method: string, ...params: unknown[]) =>
  call(daemon, namespaceOf(kind) + method, params, { token })
const askHastily = ({ kind }: Fake, method: string, ...params: unknown[]) =>
  call(daemon, HASTY + namespaceOf(kind) + method, params, { token })

/** Answers that are none, and the status that they come to. */
const GARBAGE: Readonly<Record<string, string>> = {
  'no JSON': 'garbage $ID',
  'half of an answer': '{"jsonrpc":"2.0","id":$ID,"result":',
  'neither result nor error': '{"jsonrpc":"2.0","id":$ID}',
  'an array': '[{"jsonrpc":"2.0","id":$ID,"result":1}]',
  null: 'null',
  'a number': '1',
  'an error that is a string': '{"jsonrpc":"2.0","id":$ID,"error":"no"}',
  'a string with a line break in it': '{"jsonrpc":"2.0","id":$ID,"result":"a\r\nb"}',
  'an error with a line break in a string': '{"jsonrpc":"2.0","id":$ID,"error":{"code":1,"message":"a\nb"}}',
  'an error without a code': '{"jsonrpc":"2.0","id":$ID,"error":{"message":"no"}}',
}

const RESULTS = [
  '12345678901234567890',
  '-12345678901234567890.5',
  '1.0',
  '1e2',
  '-0',
  '1E400',
  '0.1000000000000000055511151231257827',
  '"\\u00e9 \\/ \\ud800 é \u2028"',
  '{"a":1,"a":2}',
  '{ "a" :\t[ 1 , 2 ] }',
  '{"__proto__":{"a":1},"result":{"result":2},"error":{"code":1}}',
  '"result\\":3,\\""',
  '[[[[{"a":[{"b":"]}\\\\"}]}]]]]',
  'null',
  'false',
  '""',
  '{}',
]

for (const fake of fakes) {
  describe(`an upstream by ${fake.kind}`, { concurrency: false }, () => {
    it("answers with the caller's own id", async () => {
      for (const id of ['"a\\u00e9"', '"1"', '7', '-7', '1.5', 'null', '0', '9007199254740991']) {
        const method = `${namespaceOf(fake.kind)}echo`
        const { body } = await http(daemon, `{"jsonrpc":"2.0","id":${id},"method":"${method}"}`, { token })
        assert.equal(body, `{"jsonrpc":"2.0","result":null,"id":${JSON.stringify(JSON.parse(id))}}`)
      }
    })

    it('sees an id of ours, a number', async () => {
      await http(daemon, `{"jsonrpc":"2.0","id":"theirs","method":"${namespaceOf(fake.kind)}echo"}`, {
        token,
      })
      assert.equal(typeof fake.heard.at(-1)?.id, 'number')
      assert.ok(!fake.heard.at(-1)?.text.includes('theirs'))
    })

    it('has its results passed on to the byte', async () => {
      for (const result of RESULTS) {
        const { body, status } = await ask(fake, 'result', result)
        assert.equal(status, 200)
        assert.ok(body === `{"jsonrpc":"2.0","result":${result},"id":1}`, body.slice(0, 200))
      }
    })

    it('has a result of two megabytes passed on to the byte', async () => {
      const { body } = await ask(fake, 'big')
      assert.ok(body === `{"jsonrpc":"2.0","result":${BIG},"id":1}`, body.slice(0, 200))
    })

    it('may put the members of an answer in any order, with blanks, and twice', async () => {
      const odd = ' { "result" : 1 , "x":"}\\"", "res\\u0075lt":[ 2.0 ] ,"error":null,"id":$ID } '
      assert.equal((await ask(fake, 'raw', odd)).body, '{"jsonrpc":"2.0","result":[ 2.0 ],"id":1}')
    })

    it('refuses in its own words', async () => {
      const error = { code: 42, message: 'Not é', data: { why: [1, null, { 'a.b': 'c' }] } }
      const told = `{"jsonrpc":"2.0","id":$ID,"error":${JSON.stringify(error)}}`
      assert.deepEqual((await ask(fake, 'raw', told)).json.error, error)
      const bare = '{"jsonrpc":"2.0","id":$ID,"error":{"code":-32601,"message":"None"},"result":null}'
      assert.deepEqual((await ask(fake, 'raw', bare)).json.error, { code: -32601, message: 'None' })
    })

    it('refuses to the byte', async () => {
      const told = '{"jsonrpc":"2.0","id":$ID,"error":{"code":1,"message":"m","data":12345678901234567890}}'
      assert.match((await ask(fake, 'raw', told)).body, /"data":12345678901234567890\b/)
    })

    for (const [what, answer] of Object.entries(GARBAGE)) {
      it(`that answers ${what} has failed, and is asked again`, async () => fails('raw', answer))
    }
    it('that answers what is no UTF-8 has failed, and is asked again', async () =>
      fails('bytes', '{"jsonrpc":"2.0","id":$ID,"result":"\xff\xfe"}'))
    it('that hangs up in the middle has failed, and is asked again', async () => fails('drop'))
    it('that answers more than the largest answer has failed, and is asked again', async () => fails('large'))

    async function fails(method: string, ...params: unknown[]): Promise<void> {
      // A line that is too long is thrown away, so that others on the connection go on: its call waits in vain.
      const isSkipped = method === 'large' && ['tcp', 'unix', 'exec'].includes(fake.kind)
      const put = isSkipped ? askHastily : ask
      const { status, json } = await put(fake, method, ...params)
      const told = JSON.stringify(json).slice(0, 300)
      assert.deepEqual([status, json.error?.code], [isSkipped ? 504 : 502, -32050], told)
      assert.equal((await put(fake, 'echo', 1)).status, 200)
    }

    it('that answers another call than this one has failed, and is asked again', async () => {
      const { json, status } = await askHastily(fake, 'raw', '{"jsonrpc":"2.0","id":99999999,"result":1}')
      assert.equal(json.error?.code, -32050, JSON.stringify(json))
      // Where a connection carries many, it may be a late answer to one of them: there the call waits on.
      assert.equal(status, fake.kind.endsWith('http') ? 502 : 504)
      assert.equal((await askHastily(fake, 'echo', 1)).status, 200)
    })

    it('that says nothing is late, and is asked again', async () => {
      const { status, json } = await askHastily(fake, 'silence')
      assert.deepEqual([status, json.error?.code], [504, -32050])
      assert.equal((await askHastily(fake, 'echo', 1)).status, 200)
    })

    it('answers many calls in any order, and each gets its own', async (t) => {
      const client = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } })
      for (let id = 1; id <= 200; id++)
        client.send({ jsonrpc: '2.0', id, method: `${namespaceOf(fake.kind)}jumble`, params: [id] })
      const ids = new Set<unknown>()
      for (let n = 1; n <= 200; n++) {
        const { id, result } = await client.next()
        assert.deepEqual(result, [id])
        ids.add(id)
      }
      assert.equal(ids.size, 200)
    })

    it('answers a batch in its order', async () => {
      const method = `${namespaceOf(fake.kind)}jumble`
      const calls = Array.from({ length: 120 }, (_, id) => ({ jsonrpc: '2.0', id, method, params: [id] }))
      const { json } = await http(daemon, JSON.stringify(calls), { token })
      const answers = json as unknown as Response[]
      assert.deepEqual(
        answers.map(({ id, result }) => [id, result]),
        calls.map(({ id, params }) => [id, params]),
      )
    })

    it('is told of a notification, which nothing answers', async () => {
      const before = fake.heard.length
      const body = `{"jsonrpc":"2.0","method":"${namespaceOf(fake.kind)}echo"}`
      assert.equal((await http(daemon, body, { token })).status, 204)
      assert.equal(fake.heard.length, before + 1)
    })
  })
}

describe('the words of upstreams', () => {
  it('in several lines are one line where a line is a message', async (t) => {
    const pretty = '{\n  "a": [\r\n 1 ]\n}'
    for (const fake of fakes.filter(({ kind }) => kind.endsWith('http') || kind === 'ws')) {
      const lines = conversation(t, daemon)
      fake.behaviour = (heard) => heard.result(pretty)
      const told = await lines.call(`${namespaceOf(fake.kind)}x`, { Token: token })
      fake.behaviour = obey
      assert.deepEqual(told?.result, { a: [1] })
    }
  })

  it('that are none are described in the log and not to the caller', async () => {
    const fake = fakes[0] as Fake
    fake.behaviour = (heard) => heard.reply('canary-7fd1')
    const { body } = await ask(fake, 'x')
    assert.ok(!body.includes('canary-7fd1'))
    await logged(daemon, /upstream http failed/)
  })
})
