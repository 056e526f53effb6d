import { describe, it } from 'node:test'
import { gate, holding, walkAway } from '../../support/behind.ts'
import { until } from '../../support/daemon.ts'
import { webSocket } from '../../support/talk.ts'
import { type Fake, upstream } from '../../support/upstreams.ts'

type Parts = Awaited<ReturnType<typeof gate>>
type Scope = Parameters<typeof gate>[0]

/** Not over lines: who has said all it wants to (nc) still gets its answers there. */
const CALLERS: Readonly<Record<string, (t: Scope, parts: Parts) => Promise<() => void>>> = {
  'over HTTP': async (_, { daemon, admin }) => walkAway(daemon, 'http.x', admin),
  'over a WebSocket': async (t, { daemon, admin }) => {
    const { ws } = await webSocket(t, daemon, { headers: { Authorization: `Bearer ${admin}` } })
    ws.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'http.x' }))
    return () => ws.terminate()
  },
  'over a WebSocket, with its token in the call': async (t, { daemon, admin }) => {
    const { ws } = await webSocket(t, daemon)
    ws.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'http.x', params: { Token: admin } }))
    return () => ws.terminate()
  },
}

describe("a caller who goes away has the upstream's HTTP request aborted", () => {
  for (const [how, begin] of Object.entries(CALLERS)) {
    it(how, async (t) => {
      const fake: Fake = await upstream(t, 'http')
      const parts = await gate(t, fake, { timeout: '1h' })
      const { held } = holding(fake)
      const leave = await begin(t, parts)
      await until('it is under way', () => held.length === 1)
      let aborted = false
      void held[0]?.gone.then(() => {
        aborted = true
      })
      leave()
      await until('it is aborted', () => aborted)
    })
  }
})
