import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect as connectSocket, type Socket } from 'node:net'
import { basename, join } from 'node:path'
import { describe, it } from 'node:test'
import { ROOT, type Scope, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { Address } from '../support/remote.ts'
import { mint } from '../support/talk.ts'

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome']

/** The browser; elsewhere the test is skipped in plain words, in CI a skip is a failure. */
const browser = BROWSERS.find((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0)
if (browser === undefined && process.env.CI === 'true')
  throw new Error('chromium is missing, which .ci/run should have installed')

/** What a page does with the client, and sends to /report. */
const SCRIPT = `
import { connect, OutcomeUnknown, RpcError, Unreachable } from '/client/index.js'

const seen = { node: typeof process + typeof Buffer + typeof require }
try {
  const { token, wrong } = await (await fetch('/tokens')).json()

  const client = connect({ token })
  seen.who = (await client.call('Auth.WhoAmI')).type
  seen.list = (await client.call('token.create', [{ name: 'by-page' }])).tokenids.length
  seen.refused = await connect({ token: wrong }).call('Auth.WhoAmI').catch((error) => [error instanceof RpcError, error.code])
  seen.mint = await connect().call('Auth.CreateApiToken', { ttl: 0 }).catch(({ code }) => code)
  seen.file = thrown(() => connect({ tokenFile: '/token' }))
  seen.socket = thrown(() => connect({ socket: '/s.sock' }))

  const url = location.origin.replace('http', 'ws') + '/api/'
  const live = connect({ url, token })
  const heard = new Promise((resolve) => live.on('token.watch', resolve))
  await live.call('token.watch')
  seen.live = (await live.call('Auth.WhoAmI')).type
  await client.call('token.create', { name: 'watched' })
  seen.heard = (await heard).name
  seen.positional = await live.call('token.create', [{ name: 'x' }]).catch(({ name }) => name)

  const back = new Promise((resolve) => live.on('connected', resolve))
  const broken = new Promise((resolve) => live.on('disconnected', resolve))
  await fetch('/break')
  await broken
  await back
  seen.again = (await live.call('Auth.WhoAmI')).type
  live.close()
  seen.closed = await live.call('Auth.WhoAmI').catch((error) => error instanceof Unreachable)
} catch (error) {
  seen.error = String(error.stack)
}
await fetch('/report', { method: 'POST', body: JSON.stringify(seen) })

function thrown(work) {
  try {
    work()
  } catch ({ name, message }) {
    return name + ': ' + message
  }
}
`

/** A site that serves a page and the client, and passes /api/ on to the daemon: one origin. */
async function site(t: Scope, gate: Address, tokens: object) {
  const wires = new Set<Socket>()
  const answers = new Map<string, (res: ServerResponse) => void>([
    ['/', (res) => send(res, 'text/html', '<!doctype html><script type="module" src="/page.js"></script>')],
    ['/page.js', (res) => send(res, 'text/javascript', SCRIPT)],
    ['/tokens', (res) => send(res, 'application/json', JSON.stringify(tokens))],
    ['/favicon.ico', (res) => res.writeHead(204).end()],
    [
      '/break',
      (res) => {
        for (const wire of wires) wire.destroy()
        send(res, 'text/plain', '')
      },
    ],
  ])
  const { host, port } = gate
  let report: (text: string) => void = () => {}
  const reported = new Promise<string>((resolve) => {
    report = resolve
  })
  const server = createServer(async (req, res) => {
    const { url = '', method, headers } = req
    const answer = answers.get(url)
    if (answer !== undefined) answer(res)
    else if (url.startsWith('/client/'))
      send(res, 'text/javascript', readFileSync(join(ROOT, 'dist/client', basename(url)), 'utf8'))
    else if (url === '/report') {
      report(await textOf(req))
      res.end()
    } else
      req.pipe(
        request({ host, port, path: url, method, headers }, (answered) => {
          res.writeHead(answered.statusCode ?? 502, answered.headers)
          answered.pipe(res)
        }),
      )
  })
  server.on('upgrade', ({ rawHeaders, url }: IncomingMessage, socket: Socket, head: Buffer) => {
    const wire = connectSocket({ host, port })
    wires.add(wire)
    const lines = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []))
    wire.write(`GET ${url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    wire.write(head)
    wire.pipe(socket).pipe(wire)
    wire.on('error', () => {}).on('close', () => socket.destroy())
    socket.on('error', () => {}).on('close', () => wire.destroy())
  })
  server.listen({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, reported }
}

function send(res: ServerResponse, type: string, body: string): void {
  res.writeHead(200, { 'Content-Type': type }).end(body)
}

async function textOf(req: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of req.setEncoding('utf8')) text += chunk
  return text
}

describe('the client in a browser', () => {
  it('calls, watches and reconnects from a page of the same origin', {
    skip: browser === undefined && 'there is no chromium',
  }, async (t) => {
    const gate = new Address()
    const daemon = await startDaemon(t, { config: `[[remote]]\nlisten = "${gate}"\n` })
    const token = await mint(daemon)
    const { origin, reported } = await site(t, gate, { token, wrong: `${token.slice(0, -1)}?` })
    const profile = temporaryDirectory(t)
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run']
    const child = spawn(
      browser as string,
      [...flags, `--user-data-dir=${profile}`, '--remote-debugging-port=0', origin],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, HOME: profile },
        detached: true,
      },
    )
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    t.after(() => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
    })
    const ended = once(child, 'close').then(() => {
      throw new Error(`the browser ended: ${said}`)
    })
    const seen = JSON.parse(await Promise.race([reported, ended]))
    ended.catch(() => {})
    assert.deepEqual(seen, {
      node: 'undefinedundefinedundefined',
      who: 'superadmin',
      list: 1,
      refused: [true, -32001],
      mint: -32003,
      file: 'TypeError: there are no files here: give the token itself',
      socket: 'TypeError: there are no Unix sockets here: give a url',
      live: 'superadmin',
      heard: 'watched',
      positional: 'TypeError',
      again: 'superadmin',
      closed: true,
    })
  })
})
