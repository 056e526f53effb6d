import { request } from 'node:http'
import { type Daemon, type Scope, startDaemon } from './daemon.ts'
import { statusOf } from './lives.ts'
import { mint } from './talk.ts'
import { type Fake, type Heard, namespaceOf, obey, table } from './upstreams.ts'

/** A gate before fakes of its own, so that no test is in the circuit of another. */
export async function gate(
  t: Scope,
  fake: Fake,
  more: Record<string, unknown> = {},
): Promise<{ daemon: Daemon; admin: string }> {
  const daemon = await startDaemon(t, { config: table(fake, more) })
  return { daemon, admin: await mint(daemon) }
}

/** Whether a call comes through. */
export const works = (daemon: Daemon, fake: Fake, token: string) => async () =>
  (await statusOf(daemon, `${namespaceOf(fake.kind)}echo`, [], token)) === 200

/** Keeps its calls until they are let go. */
export function holding(fake: Fake): { held: Heard[]; release(): void } {
  const held: Heard[] = []
  fake.behaviour = (heard) => void held.push(heard)
  const release = () => {
    fake.behaviour = obey
    for (const heard of held.splice(0)) obey(heard)
  }
  return { held, release }
}

/** A call whose caller can go away. */
export function walkAway(daemon: Daemon, method: string, token: string): () => void {
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }
  const req = request({ socketPath: daemon.socket, method: 'POST', path: '/api/', headers, agent: false })
  req.on('error', () => {})
  req.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: [] }))
  return () => void req.destroy()
}
