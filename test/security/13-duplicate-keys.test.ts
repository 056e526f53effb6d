import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { make } from '../support/lives.ts'
import { http, mint, raw } from '../support/talk.ts'
import { type Heard, KINDS, table, upstream } from '../support/upstreams.ts'

const fakes = await Promise.all(KINDS.map((kind) => upstream({ after }, kind)))
const config = fakes.map((fake) => table(fake, { namespace: `${fake.kind.replace('+', '')}.` })).join('')
const daemon = await startDaemon({ after }, { config })
const admin = await mint(daemon)

/** What was heard of a call whose members are spelt so; undefined: nothing. */
async function sent(
  fake: (typeof fakes)[number],
  members: string,
  token: string,
): Promise<Heard | undefined> {
  const before = fake.heard.length
  await http(daemon, `{"jsonrpc":"2.0","id":1,${members}}`, { token })
  assert.ok(fake.heard.length <= before + 1)
  return fake.heard[before]
}

describe('pitfall 13: what was authorized is what the upstream gets', () => {
  for (const fake of fakes) {
    const space = fake.kind.replace('+', '')
    const safe = `${space}.safe`
    const danger = `${space}.danger`

    it(`of a member that is there twice it sees the one that was looked at (${fake.kind})`, async () => {
      const { token } = await make(daemon, admin, { scopes: [safe] })
      assert.equal(await sent(fake, `"method":"${safe}","method":"${danger}"`, token), undefined)
      for (const members of [
        `"method":"${danger}","method":"${safe}"`,
        `"method":"${danger}","m\\u0065thod":"${safe}"`,
        `"\\u006dethod":"${danger}","method":"${safe}"`,
        `"method":"${safe}","Method":"${danger}","METHOD":"${danger}","method\\u0000":"${danger}"`,
        `"method":"${safe}","params":{"method":"${danger}"},"__proto__":{"method":"${danger}"}`,
      ]) {
        const heard = await sent(fake, members, token)
        assert.equal(heard?.method, safe, members)
        const names = [...(heard?.text ?? '').matchAll(/"(m\w*|M\w*|__proto__)":"/g)].map(([, name]) => name)
        assert.deepEqual(names.slice(0, 1), ['method'])
        assert.ok(members.includes('params') || !heard?.text.includes('danger'), heard?.text)
      }
    })

    it(`parameters that are there twice arrive once, with the last value (${fake.kind})`, async () => {
      const heard = await sent(
        fake,
        `"method":"${safe}","params":{"a":1},"params":{"b":1,"b":2,"\\u0062":3}`,
        admin,
      )
      assert.match(heard?.text ?? '', /"params":\{"b":3\}\}$/)
    })

    it(`members that JSON-RPC does not know do not arrive (${fake.kind})`, async () => {
      const heard = await sent(fake, `"method":"${safe}","auth":"canary","session":{"a":1}`, admin)
      assert.deepEqual(Object.keys(JSON.parse(heard?.text ?? '{}')), ['jsonrpc', 'id', 'method'])
    })

    it(`line ends in a text make no second message (${fake.kind})`, async () => {
      const before = fake.heard.length
      const inner = `\\n{\\"jsonrpc\\":\\"2.0\\",\\"id\\":9,\\"method\\":\\"${danger}\\"}\\r\\n`
      await sent(fake, `"method":"${safe}","params":["${inner}"]`, admin)
      assert.equal(fake.heard.length, before + 1)
    })
  }

  it('of a token that is there twice the last one counts, for identity and for nobody else', async () => {
    const { token } = await make(daemon, admin, { scopes: ['tcp.safe'] })
    const params = (first: string, last: string) =>
      `"method":"tcp.danger","params":{"Token":"${first}","T\\u006fken":"${last}"}`
    const line = (members: string) => `{"jsonrpc":"2.0","id":1,${members}}\n`
    const before = fakes.map(({ heard }) => heard.length)
    assert.match(await raw(daemon, line(params(admin, token))), /-32003/)
    assert.deepEqual(
      fakes.map(({ heard }) => heard.length),
      before,
    )
    assert.match(await raw(daemon, line(params(token, admin))), /"result":/)
    assert.ok(!JSON.stringify(fakes.map(({ heard }) => heard.map(({ text }) => text))).includes(token))
  })
})
