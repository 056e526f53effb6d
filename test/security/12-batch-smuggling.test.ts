import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { conversation, make } from '../support/lives.ts'
import { http, mint, type Response, webSocket } from '../support/talk.ts'
import { table, upstream } from '../support/upstreams.ts'

const fake = await upstream({ after }, 'http')
const daemon = await startDaemon({ after }, { config: table(fake) })
const admin = await mint(daemon)
const { token } = await make(daemon, admin, { scopes: ['http.good.*'] })

const good = '{"jsonrpc":"2.0","id":1,"method":"http.good.echo","params":[1]}'
const bad = '{"jsonrpc":"2.0","id":2,"method":"http.bad","params":[2]}'
const code = ({ error }: Response) => error?.code

/** What the upstream heard while something was done. */
async function heard(work: () => Promise<unknown>): Promise<string[]> {
  const before = fake.heard.length
  await work()
  return fake.heard.slice(before).map(({ method }) => method)
}

describe('pitfall 12: every call of a batch is authorized by itself', () => {
  it('what is denied is refused in its place, and reaches no upstream', async () => {
    const calls = await heard(async () => {
      const { json } = await http(daemon, `[${good},${bad},${good}]`, { token })
      assert.deepEqual((json as unknown as Response[]).map(code), [undefined, -32003, undefined])
    })
    assert.deepEqual(calls, ['http.good.echo', 'http.good.echo'])
  })

  it('on a WebSocket and where a line is a message as well', async (t) => {
    const withToken = (text: string) =>
      JSON.parse(text.replace(/"params":\[\d\]/, `"params":{"Token":"${token}"}`))
    const batch = [bad, good].map(withToken)
    const ws = await webSocket(t, daemon)
    const lines = conversation(t, daemon)
    const calls = await heard(async () => {
      ws.send(batch)
      lines.send(batch)
      for (const answers of [await ws.next(), await lines.next()])
        assert.deepEqual((answers as unknown as Response[]).map(code), [-32003, undefined])
    })
    assert.deepEqual(calls, ['http.good.echo', 'http.good.echo'])
  })

  it('the token of one call is no other call’s', async () => {
    const mine = `{"jsonrpc":"2.0","id":1,"method":"http.good.echo","params":{"Token":"${token}"}}`
    const calls = await heard(async () => {
      const { json } = await http(daemon, `[${mine},${good},${bad}]`)
      assert.deepEqual((json as unknown as Response[]).map(code), [undefined, -32001, -32001])
    })
    assert.deepEqual(calls, ['http.good.echo'])
  })

  it('notifications among them are authorized as well', async () => {
    const quiet = bad.replace('"id":2,', '')
    assert.deepEqual(await heard(() => http(daemon, `[${quiet},${good}]`, { token })), ['http.good.echo'])
  })

  const odd: Readonly<Record<string, string>> = {
    'a batch in a batch': `[[${good},${bad}]]`,
    'a batch in a batch in a batch': `[[[${bad}]]]`,
    'a byte order mark before it': `\ufeff[${good},${bad}]`,
    'a byte order mark before a call': `\ufeff${bad}`,
    'a call behind a call': `${good}${bad}`,
    'a call behind a batch': `[${good}]${bad}`,
    'a batch behind a line end': `${good}\n[${bad}]`,
    'a batch as an object': `{"0":${bad},"length":1}`,
    'a call as text': JSON.stringify(bad),
    'a NUL before it': `\u0000[${bad}]`,
    'a comma too many': `[${good},${bad},]`,
    'a comment': `[${good}/*,*/,${bad}]`,
  }
  for (const [what, body] of Object.entries(odd)) {
    it(`${what} gets nothing past`, async () => {
      for (const by of [token, admin]) {
        assert.deepEqual(await heard(() => http(daemon, body, { token: by })), [])
      }
    })
  }

  it('blanks of JSON before it change nothing', async () => {
    assert.deepEqual(await heard(() => http(daemon, ` \t\r\n[${good},${bad}]`, { token })), [
      'http.good.echo',
    ])
  })
})
