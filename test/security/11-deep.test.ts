import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { accepted, http, lines, mint, type Response, raw, webSocket } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const admin = await mint(daemon)

/** No parser would call them valid, so what is said of them shows who saw them first. */
const DEEP: Readonly<Record<string, string>> = {
  'brackets around nonsense': `${'['.repeat(100_000)}nonsense${']'.repeat(100_000)}`,
  'objects without values': `${'{"a":'.repeat(100_000)}${'}'.repeat(100_000)}`,
  'brackets behind a string': `["\\"[[",${'['.repeat(10_000)}nonsense${']'.repeat(10_001)}`,
}
/** Nor these; and they are found out without being parsed. */
const UNCLOSED: Readonly<Record<string, string>> = {
  'brackets that are never closed': '['.repeat(100_000),
  'a string that never ends': `["${'['.repeat(1_000)}`,
  'a string that ends with a backslash': `["${'['.repeat(1_000)}\\`,
}
const INVALID = -32600
const UNPARSABLE = -32700

describe('pitfall 11: a text that nests too deep is refused before it is parsed', () => {
  for (const [texts, code] of [[DEEP, INVALID] as const, [UNCLOSED, UNPARSABLE] as const])
    for (const [what, text] of Object.entries(texts))
      it(`${what}: ${code}, on every door`, async (t) => {
        const ws = await webSocket(t, daemon)
        const { json } = await http(daemon, text)
        ws.send(text)
        const overWebSocket = await ws.next()
        const [overLines] = lines(await raw(daemon, `${text}\n`))
        const told = [json, overWebSocket, overLines as Response].map(({ error }) => error?.code)
        assert.deepEqual(told, [code, code, code])
      })

  it('so are fields of a form’s endpoint', async () => {
    const answer = await http(daemon, '['.repeat(100_000), { path: '/oauth2/introspect', token: admin })
    assert.match(answer.body, /nests deeper than/)
  })

  it('and the daemon goes on', async () => assert.ok(await accepted(daemon, admin)))
})
