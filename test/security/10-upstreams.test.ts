import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { filesBelow, pepperOf, processPlaces } from '../support/bytes-at-rest.ts'
import { canary, finds, type Place, uniqueSecret } from '../support/canaries.ts'
import { startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { ok } from '../support/lives.ts'
import { Replies } from '../support/replies.ts'
import { call, mint } from '../support/talk.ts'
import { type Fake, type Heard, type Kind, table, upstream } from '../support/upstreams.ts'

const directory = temporaryDirectory({ after })
const replies = new Replies()

/** How an upstream's own credential gets to it, over which link. */
const SHOWN: readonly (readonly [credential: string, kind: Kind])[] = [
  ['header', 'http'],
  ['basic', 'http'],
  ['cookie-file', 'unix+http'],
  ['jwt-hs256', 'http'],
  ['param', 'http'],
  ['header', 'ws'],
  ['param', 'ws'],
  ['param', 'tcp'],
  ['param', 'unix'],
  ['param', 'exec'],
]

/** The credential, as it came. */
function shownIn(headers: Heard['headers'], params: unknown): string {
  return String(headers.authorization ?? headers['x-key'] ?? [params].flat()[0])
}

/** What an upstream does that has been told a secret. Where it repeats it, its answer is its own affair, our log is not. */
const TROUBLES: Readonly<Record<string, (heard: Heard) => void>> = {
  good: (heard) => heard.result('"fine"'),
  error: ({ id, reply }) => reply(`{"jsonrpc":"2.0","id":${id},"error":{"code":-1,"message":"No."}}`),
  repeating: ({ id, reply, text, headers }) => {
    const message = JSON.stringify(JSON.stringify(headers) + text)
    reply(`{"jsonrpc":"2.0","id":${id},"error":{"code":-1,"message":${message}}}`)
  },
  garbage: ({ reply, headers, params }) => reply(`no JSON: ${shownIn(headers, params)}`),
  short: ({ reply, headers, params }) => reply(shownIn(headers, params)),
  drop: ({ drop }) => drop(),
}

interface Guarded {
  readonly name: string
  readonly fake: Fake
  readonly trouble: string
  readonly secret: string
}

const nameOf = (kind: Kind) => kind.replace('+', '_')

const guarded: Guarded[] = []
let config = ''
// One for each trouble: of what fails again and again only the first is logged.
for (const [credential, kind] of SHOWN)
  for (const trouble of Object.keys(TROUBLES)) {
    const name = `${credential}-${nameOf(kind)}-${trouble}`
    const secret =
      credential === 'jwt-hs256'
        ? 'c5'.repeat(8) + name.length.toString(16).padStart(48, '7')
        : uniqueSecret('u')
    const file = join(directory, `${name}.secret`)
    writeFileSync(file, secret, { mode: 0o600 })
    const fake = await upstream({ after }, kind)
    guarded.push({ name, fake, trouble, secret })
    const key = credential === 'header' ? { name: 'X-Key' } : {}
    config += table(fake, {
      name,
      namespace: `${name}.`,
      timeout: '5s',
      credential: { kind: credential, file, ...key },
    })
  }
const daemon = await startDaemon({ after }, { directory, config, env: { LOG_LEVEL: 'trace' } })
const token = replies.know(await mint(daemon))

/** Whatever a client may send along. */
const HEADERS = { Authorization: `Bearer ${token}`, Cookie: `a=${token}`, 'X-Api-Key': token }

describe('pitfall 10: neither side of the gateway sees the secrets of the other', () => {
  for (const { name, fake, trouble, secret } of guarded)
    it(name, async () => {
      const asked = async (what: string) => {
        for (const params of [undefined, [1]]) {
          const { body } = await call(daemon, `${name}.echo`, params, { headers: HEADERS })
          if (trouble !== 'repeating') replies.note(`${name}, ${what}`, body)
        }
        const { body } = await call(daemon, `${name}.echo`, { Token: token })
        if (trouble !== 'repeating') replies.note(`${name}, ${what}`, body)
      }
      fake.behaviour = TROUBLES[trouble] as Fake['behaviour']
      await asked(trouble)
      const heard = fake.heard.map(({ text, headers }) => JSON.stringify([text, headers])).join()
      assert.ok(heard.length > 0, 'it was asked')
      assert.deepEqual(finds([['what it heard', heard]], [canary('the caller’s token', token)]), [])
      const isDerived = name.startsWith('jwt')
      if (!isDerived) assert.deepEqual(finds([['x', heard]], [canary('y', secret)]), ['y is in x'])
      if (trouble !== 'good') return
      await fake.stop()
      await asked('while it is down')
    })
})

it('pitfall 10: an upstream’s credential is nowhere else', async () => {
  const audit: Place = ['the audit log', JSON.stringify(await ok(daemon, 'audit.export', {}, token))]
  const metrics: Place = ['the metrics', await ok<string>(daemon, 'system.metrics', {}, token)]
  const processes = processPlaces(daemon.pid)
  assert.ok(
    processes.some(([, content]) => content.includes('relay.mjs')),
    'the upstreams that are programs as well',
  )
  await daemon.stop()
  const log: Place = ['the log', daemon.log()]
  const told = daemon.log().match(/upstream [\w-]+ failed/g) ?? []
  for (const [credential, kind] of SHOWN)
    assert.ok(
      told.some((line) => line.includes(`${credential}-${nameOf(kind)}-`)),
      `${credential} over ${kind}`,
    )
  const canaries = guarded.map(({ name, secret }) => canary(`the credential of ${name}`, secret))
  const files = filesBelow(daemon.stateDir, { but: ['pepper'] })
  const places = [audit, metrics, log, ...processes, ...files, ...replies.places]
  const own = [canary('the pepper', pepperOf(daemon.stateDir)), ...replies.canaries]
  assert.deepEqual(finds(places, [...canaries, ...own]), [])
})
