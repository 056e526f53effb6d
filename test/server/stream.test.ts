import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { lines, mint, open, type Response, raw } from '../support/talk.ts'

const daemon = await startDaemon({ after }, { config: '[limits]\nin_flight = 16\n' })
const nope = (id: unknown) => JSON.stringify({ jsonrpc: '2.0', method: 'nope', id })
const ids = (text: string) => (lines(text) as Response[]).map(({ id }) => id).sort()

describe('newline-delimited JSON', () => {
  it('takes several lines in one write', async () => {
    assert.deepEqual(ids(await raw(daemon, `${nope(1)}\n${nope(2)}\n${nope(3)}\n`)), [1, 2, 3])
  })

  it('takes a line over many writes, cut even inside a character', async () => {
    const socket = open(daemon)
    for (const byte of Buffer.from(`${nope('ü😀')}\n`)) {
      socket.write(Buffer.from([byte]))
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    socket.end()
    let text = ''
    for await (const chunk of socket.setEncoding('utf8')) text += chunk
    assert.deepEqual(ids(text), ['ü😀'])
  })

  it('takes CRLF, blank lines, white space around, and a last line without its newline', async () => {
    assert.deepEqual(
      ids(await raw(daemon, `\r\n\n  \t\n${nope(1)}\r\n\r\n \t${nope(2)} \t\n${nope(3)}`)),
      [1, 2, 3],
    )
  })

  it('answers a line that is not JSON with -32700, and the next line works', async () => {
    const [first, second, third] = lines(await raw(daemon, `hello\n{"x\n${nope(1)}\n`)) as Response[]
    assert.deepEqual([first?.error?.code, second?.error?.code, third?.id], [-32700, -32700, 1])
    assert.equal(first?.id, null)
  })

  it('answers a line that is not UTF-8, or begins with a byte order mark, with -32700', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"a":"'),
      Buffer.from([0xff]),
      Buffer.from(`"}\n\ufeff${nope(1)}\n${nope(2)}\n`),
    ])
    assert.deepEqual(
      (lines(await raw(daemon, bytes)) as Response[]).map(({ error }) => error?.code),
      [-32700, -32700, -32601],
    )
  })

  it('answers batches, and nothing to notifications', async () => {
    const text = await raw(
      daemon,
      `[${nope(1)},${nope(2)}]\n{"jsonrpc":"2.0","method":"nope"}\n[{"jsonrpc":"2.0","method":"nope"}]\n`,
    )
    assert.deepEqual(
      lines(text).map((line) => (line as Response[]).length),
      [2],
    )
  })

  it('takes a Token in each call, and keeps it for that call', async () => {
    const token = await mint(daemon)
    const whoAmI = (params: object, id: number) =>
      JSON.stringify({ jsonrpc: '2.0', method: 'Auth.WhoAmI', params, id })
    const text = await raw(
      daemon,
      `${whoAmI({ Token: token }, 1)}\n${whoAmI({}, 2)}\n${whoAmI({ Token: 'x' }, 3)}\n`,
    )
    const byId = new Map((lines(text) as Response[]).map((response) => [response.id, response.error?.code]))
    assert.deepEqual(
      byId,
      new Map([
        [1, undefined],
        [2, -32001],
        [3, -32001],
      ]),
    )
  })

  it('answers a half-closed client all that it asked', async () => {
    const calls = Array.from({ length: 200 }, (_, id) =>
      JSON.stringify({ jsonrpc: '2.0', method: 'Auth.CreateApiToken', params: [60], id }),
    )
    const answers = lines(await raw(daemon, calls.join('\n'))) as Response[]
    assert.equal(new Set(answers.map(({ result }) => result)).size, 200)
  })

  it('takes a line of 1 MiB, and answers a longer one with an error and the end', async () => {
    const padded = (size: number) => nope(1).padEnd(size, ' ')
    assert.deepEqual(ids(await raw(daemon, `${padded(1024 * 1024)}\n`)), [1])
    const [only, ...rest] = lines(
      await raw(daemon, `${padded(1024 * 1024 + 1)}\n${nope(2)}\n`, { end: false }),
    ) as Response[]
    assert.deepEqual([only?.error?.code, rest.length], [-32600, 0])
  })

  it('ends a line that takes too long', async (t) => {
    const hurried = await startDaemon(t, { config: '[limits]\nbody_timeout = "1s"\n' })
    const [only] = lines(await raw(hurried, '{"jsonrpc":', { end: false })) as Response[]
    assert.match(only?.error?.data ?? '', /too long to arrive/)
  })

  it('refuses a line once, though it goes on being slow behind what was too long of it', async (t) => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    t.after(() => silent.close().unref())
    const { port } = silent.address() as AddressInfo
    const service = `[[upstream]]\nname = "silent"\nurl = "tcp:127.0.0.1:${port}"\nnamespace = "silent."\nmethods = ["silent.call"]\n`
    const hurried = await startDaemon(t, { config: `[limits]\nbody_timeout = "1s"\n${service}` })
    const [socket, connected] = [open(hurried), once(silent, 'connection')]
    t.after(() => socket.destroy())
    const answers = socket.setEncoding('utf8').toArray()
    const params = { Token: await mint(hurried) }
    // A call that is under way keeps the connection: until its end, answers come.
    socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'silent.call', params })}\n`)
    await connected
    socket.write(' ')
    await new Promise((resolve) => setTimeout(resolve, 300))
    socket.write(' '.repeat(1024 * 1024))
    const [only, ...rest] = lines((await answers).join('')) as Response[]
    assert.match(only?.error?.data ?? '', /longer than|too long/) // whichever comes first
    assert.deepEqual(rest, [])
  })

  it('answers 10,000 pipelined lines to a reader that begins late', async () => {
    const socket = open(daemon)
    socket.pause()
    socket.end(Array.from({ length: 10_000 }, (_, id) => nope(id)).join('\n'))
    await new Promise((resolve) => setTimeout(resolve, 300))
    let text = ''
    for await (const chunk of socket.setEncoding('utf8')) text += chunk
    assert.equal(new Set((lines(text) as Response[]).map(({ id }) => id)).size, 10_000)
  })
})
