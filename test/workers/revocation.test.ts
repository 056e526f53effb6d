import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { type Lines, make, ok, user } from '../support/lives.ts'
import { call, mint, type Response, type WsClient, webSocket } from '../support/talk.ts'
import { accepted, Census, onEachWorker } from '../support/workers.ts'

const daemon = await startDaemon(
  { after },
  { config: '[listen]\nworkers = 3\n[rate]\nfailures_per_address = "none"\n' },
)
const admin = await mint(daemon)
const census = await Census.begin({ after }, daemon, admin)
const lines = (await onEachWorker(census, 4, () => accepted({ after }, daemon))).flat()
const administer = <T = unknown>(method: string, params: unknown) => ok<T>(daemon, method, params, admin)

/** More of them with ROUNDS=100, say. */
const ROUNDS = Number(process.env.ROUNDS ?? 8)
/** Calls on each connection: before the end of a token is asked for, and after it was acknowledged. */
const PIPELINED = 25
const NOISE = 150

type Answer = Response | undefined
type Victim = { readonly token: string; readonly end: () => Promise<unknown> }

/** Asks on every connection, many times, without waiting. On every other one another token is shown in between, so that none is the last one's. */
function askAll(token: string, count: number): Promise<Answer>[] {
  return lines.flatMap((line, at) =>
    Array.from({ length: count }, () => {
      if (at % 2 === 0 && !isSigned(token)) void line.call('Auth.WhoAmI', { Token: admin })
      return line.call('Auth.WhoAmI', { Token: token })
    }),
  )
}

/** They take a moment, and answers come as they are ready: what is asked beside them would be told first. */
function isSigned(token: string): boolean {
  return token.includes('.')
}

/** Every worker knows the token, and is asked about it without a pause, before, while and after it ends. */
async function assertEnds({ token, end }: Victim, code: number): Promise<void> {
  for (const answer of await Promise.all(askAll(token, 1))) assert.equal(answer?.error, undefined)
  const before = askAll(token, PIPELINED)
  const ending = end()
  // So much to read that what is asked afterwards comes in the same breath: nobody is verified for it.
  const loud = isSigned(token) ? 0 : NOISE
  const noise = lines.flatMap((line) => Array.from({ length: loud }, () => line.call('none')))
  await ending
  const afterwards = askAll(token, PIPELINED)
  const codes = (await Promise.all(afterwards)).map((answer) => answer?.error?.code)
  assert.deepEqual([...new Set(codes)], [code])
  await Promise.all([...before, ...noise])
}

function mintMany(line: Lines, name: string): Promise<unknown>[] {
  const params = { ttl: 60, name: `${name}-${Math.random()}` }
  return Array.from({ length: 4 }, (_, n) =>
    line.call('Auth.CreateApiToken', { ...params, name: `${params.name}-${n}` }),
  )
}

const ENDS: Readonly<Record<string, () => Promise<Victim>>> = {
  'is revoked': async () => {
    const { token, tokenid } = await make(daemon, admin)
    return { token, end: () => administer('Auth.RevokeApiToken', { tokenid }) }
  },
  'has a new secret': async () => {
    const { token, tokenid } = await make(daemon, admin)
    return { token, end: () => administer('token.generate', [tokenid]) }
  },
  'has lost its user': async () => {
    const userid = await user(daemon, admin)
    const { token } = await make(daemon, admin, { userid })
    return { token, end: () => administer('user.delete', [userid]) }
  },
  'has a user who is disabled': async () => {
    const userid = await user(daemon, admin)
    const { token } = await make(daemon, admin, { userid })
    return { token, end: () => administer('user.update', { userid, status: 1 }) }
  },
  'was signed under a configuration that is deleted': async () => {
    const name = `erp-${Math.random()}`
    await administer('jwt.configure', { name, secret: 'x'.repeat(64), enable: '1' })
    const issued = await administer<{ token: string }>('jwt.issue', { name, username: 'Admin' })
    return { token: issued.token, end: () => administer('jwt.delete', { names: [name] }) }
  },
}

describe('with several workers', () => {
  it('each of them serves connections', async () => {
    const counts = await census.take()
    assert.equal(counts.length, 3)
    assert.ok(counts.every((count) => count >= 4))
  })

  for (const [what, victim] of Object.entries(ENDS))
    it(`a token that ${what} is refused on every connection from its acknowledgement on`, async () => {
      for (let round = 0; round < ROUNDS; round++) await assertEnds(await victim(), -32001)
    })

  it('a token whose scopes were narrowed may no more than that, on every connection', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { token, tokenid } = await make(daemon, admin)
      const end = () => administer('token.update', { tokenid, scopes: ['user.get'] })
      await assertEnds({ token, end }, -32003)
    }
  })

  it('a token that was merely changed is never refused', async () => {
    const { token, tokenid } = await make(daemon, admin)
    for (let round = 0; round < ROUNDS; round++) {
      const asked = askAll(token, PIPELINED)
      await administer('token.update', { tokenid, description: String(round) })
      for (const answer of await Promise.all([...asked, ...askAll(token, 2)]))
        assert.equal(answer?.error, undefined)
    }
  })

  it('a user who was made on one connection is there on all', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      for (const line of lines) for (let n = 0; n < 100; n++) void line.call('none') // nobody is verified for that
      const userid = await user(daemon, admin)
      const answers = await Promise.all(
        lines.map((line) => line.call('Auth.CreateApiToken', { ttl: 9, userid })),
      )
      for (const answer of answers) assert.equal(answer?.error, undefined)
    }
  })

  it('watches of a token that ends tell nothing of what came after', async (t) => {
    for (let round = 0; round < ROUNDS; round++) {
      const { token, tokenid } = await make(daemon, admin)
      const watchers = (await onEachWorker(census, 1, () => accepted(t, daemon))).flat()
      for (const watcher of watchers) await watcher.call('token.watch', { Token: token })
      const noise = lines.flatMap((line) => mintMany(line, `before-${round}`))
      await administer('Auth.RevokeApiToken', { tokenid })
      await Promise.all([...noise, ...lines.flatMap((line) => mintMany(line, `after-${round}`))])
      for (const watcher of watchers)
        for (let told = await watcher.next(); told !== undefined; told = await watcher.next())
          assert.doesNotMatch(String(told.params?.name), /^after-/)
    }
  })

  it('WebSockets of a token that ends are closed on every worker, and counted', async (t) => {
    const { token } = await make(daemon, admin, { userid: await user(daemon, admin) })
    const { userid } = (await ok<{ user: { userid: string } }>(daemon, 'Auth.WhoAmI', {}, token)).user
    // All of them, also one of which the census cannot tell where it is, as others leave at that moment.
    const sockets: WsClient[] = []
    const open = async () =>
      sockets.push(await webSocket(t, daemon, { headers: { Authorization: `Bearer ${token}` } }))
    await onEachWorker(census, 2, open)
    const { json } = await call(daemon, 'token.revoke', { userid }, { token: admin })
    assert.deepEqual(json.result, { tokens: 1, connections: sockets.length })
    for (const { closed } of sockets) assert.equal((await closed).code, 4401)
  })
})
