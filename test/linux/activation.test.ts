import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { takeInherited } from '../../src/linux/activation.ts'
import {
  type Daemon,
  isListening,
  logged,
  type Scope,
  serveArguments,
  startDaemon,
  temporaryDirectory,
  until,
} from '../support/daemon.ts'
import { type Handed, handing } from '../support/manager.ts'
import { assertForbidden, assertMinted, mintAs } from '../support/minting.ts'
import { Address, callAt } from '../support/remote.ts'
import { needsProgram, needsRoot, publicDirectory, STRANGER } from '../support/root.ts'
import { call, mint } from '../support/talk.ts'

const python = needsProgram('python3')
const root = needsRoot('python3', 'unshare')

interface More {
  readonly config?: string
  readonly directory?: string
  readonly env?: Record<string, string>
  readonly under?: readonly string[]
}

/** A daemon that systemd has started. `@` in a place is the path that it would take itself. */
function activated(t: Scope, sockets: Handed[], { under = [], ...more }: More = {}): Promise<Daemon> {
  const directory = more.directory ?? temporaryDirectory(t)
  return startDaemon(t, { ...more, directory, under: [...handing(...at(directory, sockets)), ...under] })
}

function at(directory: string, sockets: Handed[]): Handed[] {
  return sockets.map(([name, place]) => [name, place.replace('@', join(directory, 's.sock'))])
}

/** The daemon refuses these sockets, and says so like this. */
async function refuses(t: Scope, sockets: Handed[], complaint: string, more: More = {}): Promise<void> {
  const message = new RegExp(`^the daemon ended at its start: postern: ${complaint}`)
  await assert.rejects(activated(t, sockets, more), { message })
}

describe('sockets that systemd has opened', python, () => {
  it('are served, those and no others, and stay when the daemon goes', async (t) => {
    const daemon = await activated(t, [
      ['unix', '@'],
      ['tcp', '127.0.0.1:0'],
    ])
    await mint(daemon)
    assert.ok(daemon.port > 0)
    assertMinted(await call(daemon, 'Auth.CreateApiToken', [60], { door: 'tcp' }))
    assert.equal(await daemon.stop(), 0)
    assert.ok(existsSync(daemon.socket), 'it is systemd’s')
  })

  it('may come without a port, and then there is none', async (t) => {
    const daemon = await activated(t, [['unix', '@']])
    await mint(daemon)
    assert.equal(daemon.port, undefined)
  })

  it('may be several of a name, IPv6 among them', async (t) => {
    const place = new Address()
    const daemon = await activated(t, [
      ['tcp', '127.0.0.1:0'],
      ['tcp', `${place}`],
      ['tcp', '[::1]:0'],
      ['unix', '@'],
    ])
    const headers = { Host: `localhost:${place.port}` }
    assertMinted(await callAt(place, 'Auth.CreateApiToken', [60], { headers }))
    await mint(daemon)
  })

  it('for the remote door are found by their address', async (t) => {
    const [second, first] = [new Address(), new Address()]
    const path = join(temporaryDirectory(t), 'remote.sock')
    const config = [`${first}`, `${second}`, `unix:${path}`]
      .map((place) => `[[remote]]\nlisten = "${place}"\n`)
      .join('')
    const sockets: Handed[] = [
      ['remote', path],
      ['remote', `${second}`],
      ['remote', `${first}`],
      ['unix', '@'],
    ]
    const daemon = await activated(t, sockets, { config })
    const token = await mint(daemon)
    for (const place of [first, second, path]) {
      assertForbidden(await callAt(place, 'Auth.CreateApiToken', [60]))
      assert.equal((await callAt(place, 'Auth.WhoAmI', undefined, { token })).status, 200)
    }
  })

  it('for the remote door alone leave the local ones to us', async (t) => {
    const place = new Address()
    const config = `[[remote]]\nlisten = "${place}"\n`
    const daemon = await activated(t, [['remote', `${place}`]], { config })
    const token = await mint(daemon)
    assert.ok(daemon.port > 0)
    assert.equal((await callAt(place, 'Auth.WhoAmI', undefined, { token })).status, 200)
  })

  it('are another process’s where they are so marked', async (t) => {
    const daemon = await activated(t, [['nonsense', '127.0.0.1:0']], { env: { LISTEN_PID: '1' } })
    await mint(daemon)
    assert.ok(daemon.port > 0)
  })

  it('start the daemon with the first call', needsProgram('systemd-socket-activate'), async (t) => {
    const directory = temporaryDirectory(t)
    const socket = join(directory, 's.sock')
    const flags = ['-l', socket, '--fdname=unix', '--', process.execPath, ...serveArguments(directory)]
    const parent = spawn('systemd-socket-activate', flags, { stdio: 'ignore' })
    t.after(() => parent.kill('SIGKILL'))
    await until('it listens', () => isListening(socket))
    await mint({ socket } as Daemon)
  })
})

describe('sockets that nobody would serve end the start', python, () => {
  const listen = (place: string) => ({ config: `[[remote]]\nlisten = "${place}"\n` })

  it('where their name is unknown, or there is none', async (t) => {
    for (const name of ['http', '', 'constructor']) {
      const sockets: Handed[] = [
        ['unix', '@'],
        [name, '127.0.0.1:0'],
      ]
      await refuses(t, sockets, `systemd hands over a socket named "${name}"`)
    }
  })

  it('where the configuration has no [[remote]]', async (t) => {
    await refuses(t, [['remote', '127.0.0.1:0']], '.+ no \\[\\[remote\\]\\] has that address\nhint: add ')
  })

  it('where no [[remote]] has that address', async (t) => {
    await refuses(t, [['remote', `${new Address()}`]], 'systemd hands over ', listen(`${new Address()}`))
  })
})

it('a port that was handed over as a Unix socket makes nobody local', python, async (t) => {
  const place = new Address()
  const daemon = await activated(t, [
    ['unix', '@'],
    ['unix', `${place}`],
  ])
  assertForbidden(await callAt(place, 'Auth.CreateApiToken', [60]))
  await mint(daemon)
})

describe('a netlink socket that systemd has opened', root, () => {
  const sockets: Handed[] = [
    ['unix', '@'],
    ['tcp', '127.0.0.1:0'],
  ]

  it('tells who connects, though the daemon is in a network of its own', async (t) => {
    const directory = publicDirectory(t)
    const more = { under: ['unshare', '--net'], directory }
    const daemon = await activated(t, [...sockets, ['diag', 'inet-diag']], more)
    assertMinted(await mintAs({ uid: 0 }, daemon, 'tcp'))
    assertForbidden(await mintAs(STRANGER, daemon, 'tcp'))
    await logged(daemon, /uid 54321 is no operator/)
  })

  it('is needed there: without it nobody mints on TCP', async (t) => {
    const daemon = await activated(t, sockets, { under: ['unshare', '--net'] })
    assertForbidden(await mintAs({ uid: 0 }, daemon, 'tcp'))
    await logged(daemon, /the kernel does not tell who is connected/)
    await mint(daemon)
  })

  it('that answers nothing makes nobody local on TCP', async (t) => {
    const daemon = await activated(t, [...sockets, ['diag', 'nothing']])
    assertForbidden(await mintAs({ uid: 0 }, daemon, 'tcp'))
    await mint(daemon)
  })
})

it('the variables are taken out of the environment, whomever they are for', () => {
  for (const pid of [process.pid, 1]) {
    const env = { LISTEN_PID: String(pid), LISTEN_FDS: '2', LISTEN_FDNAMES: 'tcp:unix', PATH: '/bin' }
    const { tcp, unix } = takeInherited(env)
    assert.deepEqual(env, { PATH: '/bin' })
    assert.deepEqual([tcp, unix], pid === 1 ? [[], []] : [[3], [4]])
  }
})
