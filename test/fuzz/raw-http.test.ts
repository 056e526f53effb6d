import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { LONG } from '../support/property.ts'
import { Address, makeCertificate } from '../support/remote.ts'
import { mint } from '../support/talk.ts'
import { type Dice, tryCases } from './dice.ts'
import { type Answer, type Answers, readAnswers } from './http-answers.ts'
import { HIDDEN, type Setting, type Written, writeRequest } from './http-grammar.ts'
import { assertRecovered, descriptors } from './unharmed.ts'
import { type Heard, type Place, reach, sayAll, show } from './wire.ts'

const directory = temporaryDirectory({ after })
const certificate = await makeCertificate(directory, 'fuzz')
const [plain, secure, behind] = [new Address(), new Address(certificate.cert), join(directory, 'r.sock')]
const config = `[limits]\nbody = "8KiB"\n
  [[remote]]\nlisten = "${plain}"\ntrusted_proxies = ["127.0.0.0/8"]
  [[remote]]\nlisten = "${secure}"\ncert = "${certificate.cert}"\nkey = "${certificate.key}"
  [[remote]]\nlisten = "unix:${behind}"\ntrusted_proxies = ["unix"]\n`
const daemon = await startDaemon({ after }, { directory, config })
const token = await mint(daemon)
const openBefore = descriptors(daemon)

const { port } = daemon
const local = { port, token, onUnixSocket: false }
const remote = { ...local, door: 'remote' } as const
const DOORS: Readonly<Record<string, { place: Place; setting: Setting; share: number }>> = {
  'the Unix socket': {
    place: { daemon, door: 'unix' },
    setting: { ...local, door: 'unix', onUnixSocket: true },
    share: 1,
  },
  loopback: { place: { daemon, door: 'tcp' }, setting: { ...local, door: 'tcp' }, share: 1 },
  'the remote door': { place: { remote: plain }, setting: remote, share: 0.7 },
  'a remote Unix socket': {
    place: { remote: behind },
    setting: { ...remote, onUnixSocket: true },
    share: 0.3,
  },
  'the remote door behind TLS': { place: { remote: secure }, setting: remote, share: 0.3 },
}
const CASES = LONG ? 30_000 : 400

/** What came about at all: rules about answers that never come would say nothing. */
const seen = new Map<string, number>()
const count = (what: string | number) => void seen.set(String(what), (seen.get(String(what)) ?? 0) + 1)

for (const [where, { place, setting, share }] of Object.entries(DOORS)) {
  describe(`bytes that claim to be HTTP, on ${where}`, () => {
    it('get answers that are HTTP, one a request, none to a request hidden in another, none that it must not give', () =>
      tryCases(`requests on ${where}`, CASES * share, async (dice) => {
        const requests = writeRequests(dice, setting)
        const said = Buffer.concat(requests.map(({ bytes }) => bytes))
        const bytes = dice.chance(0.25) ? said.subarray(0, dice.below(said.length + 1)) : said
        const heard = await sayAll(await reach(place), dice.cut(bytes, dice.pick([1, 1, 2, 5])))
        if (speaksHttp(bytes, setting)) explaining(bytes, heard, () => judge(requests, heard))
      }))

    it('get answers that are HTTP when any byte of them is another one', () =>
      tryCases(`damaged requests on ${where}`, CASES * share, async (dice) => {
        const bytes = damage(
          dice,
          Buffer.concat(writeRequests(dice, setting).map((request) => request.bytes)),
        )
        const heard = await sayAll(await reach(place), dice.cut(bytes, dice.pick([1, 1, 3])))
        if (speaksHttp(bytes, setting)) explaining(bytes, heard, () => judgeDamaged(bytes, heard, setting))
      }))
  })
}

describe('bytes that claim to be HTTP', () => {
  it('have made the daemon answer in every way that the rules above are about', () => {
    if (process.env.FUZZ_CASE !== undefined) return // one case alone does not
    const expected = [
      '100',
      '101',
      '200',
      '400',
      '401',
      '403',
      '404',
      '405',
      '412',
      '413',
      '415',
      '417',
      '426',
      '431',
    ]
    const missing = [...expected, 'minted', 'told who', 'interrupted', 'many'].filter(
      (what) => !seen.has(what),
    )
    assert.deepEqual(missing, [], JSON.stringify(Object.fromEntries(seen)))
  })

  it('leave the daemon as it was', () => assertRecovered(daemon, token, openBefore))
})

/** Requests on one connection, with something in front or behind now and then. */
function writeRequests(dice: Dice, setting: Setting): Written[] {
  const requests = dice.times(dice.pick([1, 1, 2, 3, 6]), (n) => writeRequest(dice, setting, `id-${n}`))
  if (dice.chance(0.1)) requests.unshift(noRequest(dice.pick(['\r\n', '\r\n\r\n']), 'request'))
  else if (dice.chance(0.05)) requests.unshift(noRequest(dice.pick(GARBAGE), 'nothing'))
  if (dice.chance(0.1))
    requests.push(noRequest(dice.pick([...GARBAGE, '\0', '\x16\x03\x01', '{}\n']), 'nothing'))
  return requests
}

/** On a Unix socket other first bytes begin newline-delimited JSON. */
function speaksHttp(bytes: Buffer, { onUnixSocket }: Setting): boolean {
  return !onUnixSocket || /^[ \t\r\n]*[A-Z]/.test(bytes.toString('latin1'))
}

const GARBAGE = [
  'GARBAGE\r\n\r\n',
  'HTTP/1.1 200 OK\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'P\x00',
  'GET\r\n',
  `A${'a'.repeat(30_000)}`,
]

function noRequest(text: string, sequel: Written['sequel']): Written {
  const bytes = Buffer.from(text, 'latin1')
  return { bytes, verb: '', id: 'none', sequel, mayMint: false, mayAnswerWho: false, maySwitch: false }
}

function judge(written: readonly Written[], { bytes, reset }: Heard): void {
  const requests = written.filter(({ bytes: said }) => !/^[\r\n]*$/.test(said.toString('latin1')))
  const { interim, final, switched, partial } = read(
    bytes,
    requests.map(({ verb }) => verb),
  )
  assert.ok(!partial || reset, 'an answer broke off')
  assert.ok(final.length <= requests.length, `${final.length} answers to ${requests.length} requests`)
  assert.ok(!bytes.includes(HIDDEN), 'a request inside another one was answered')
  assert.ok(switched === undefined || requests[final.length]?.maySwitch, 'a bad handshake was accepted')
  for (const { status } of interim) assert.equal(status, 100)
  final.forEach((answer, n) => {
    const request = requests[n] as Written
    const end = requests.slice(0, n).find(({ sequel }) => sequel === 'nothing')
    assert.equal(end, undefined, `an answer came behind ${end && show(end.bytes)}`)
    judgeAnswer(answer, request)
  })
  if (final.length > 2) count('many')
}

function judgeAnswer({ status, headers, body }: Answer, { id, mayMint, mayAnswerWho }: Written): void {
  assert.ok(status < 500, `${status}: ${body}`)
  if (body === '' || headers.get('content-type') !== 'application/json') return
  const { id: answered, result } = JSON.parse(body)
  assert.ok(
    answered === undefined || answered === null || answered === id,
    `the answer to ${answered} came for ${id}`,
  )
  if (typeof result === 'string' && result.startsWith('pst_')) {
    assert.ok(mayMint, 'a token was minted')
    count('minted')
  } else if (answered === id && result !== undefined) {
    assert.ok(mayAnswerWho, `the call was answered: ${body}`)
    count('told who')
  }
}

/** Any byte another one, gone, or there twice: who knows what that says; but it is no more requests than it claims to be. */
function damage(dice: Dice, whole: Buffer): Buffer {
  let bytes = Buffer.from(whole)
  for (let left = dice.between(1, 8); left > 0; left--) {
    const at = dice.below(bytes.length)
    const to = Math.min(bytes.length, at + dice.between(0, dice.pick([1, 1, 30])))
    const [front, back] = [bytes.subarray(0, at), bytes.subarray(to)]
    const sign = dice.pick([
      '\0',
      '\r',
      '\n',
      '\r\n',
      ' ',
      '\t',
      ':',
      ';',
      ',',
      '0',
      '9',
      'f',
      '\x80',
      '\xff',
    ])
    const others = [dice.bytes(1), Buffer.from(sign, 'latin1'), bytes.subarray(at, at + 60), Buffer.alloc(0)]
    bytes = Buffer.concat([front, dice.pick(others), back])
  }
  return bytes
}

function judgeDamaged(bytes: Buffer, { bytes: answered, reset }: Heard, { door }: Setting): void {
  if (bytes.includes('HEAD ')) return // no telling which of the answers goes without content
  const { final, partial } = read(answered, [])
  assert.ok(!partial || reset, 'an answer broke off')
  const claims = bytes.toString('latin1').split(/HTTP\/|ICE\/|RTSP\//i).length
  assert.ok(final.length <= claims, `${final.length} answers to ${claims} requests at the most`)
  for (const { status, body } of final) {
    assert.ok(status < 500, `${status}: ${body}`)
    assert.ok(door !== 'remote' || !body.includes('"result":"pst_'), 'a token was minted')
  }
}

function read(bytes: Buffer, verbs: readonly string[]): Answers {
  const answers = readAnswers(bytes, verbs)
  for (const { status } of [...answers.interim, ...answers.final]) count(status)
  if (answers.switched !== undefined) count(101)
  if (answers.final.length < verbs.length) count('interrupted')
  return answers
}

function explaining(said: Buffer, { bytes }: Heard, judgement: () => void): void {
  try {
    judgement()
  } catch (cause) {
    throw new Error(`${(cause as Error).message}\nsaid: ${show(said)}\nheard: ${show(bytes)}`, { cause })
  }
}
