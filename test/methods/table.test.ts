import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { METHODS } from '../../src/methods/index.ts'
import { describeInMarkdown, type OpenRpcDocument } from '../../src/methods/openrpc.ts'
import { ROOT, startDaemon } from '../support/daemon.ts'
import { call, mint } from '../support/talk.ts'

const daemon = await startDaemon({ after })

describe('the table of methods', () => {
  it('has one row that needs no token; widening this is a decision', () => {
    assert.deepEqual(
      METHODS.filter(({ access }) => access === 'local').map(({ name }) => name),
      ['Auth.CreateApiToken'],
    )
  })

  it('has each name once', () => {
    assert.equal(new Set(METHODS.map(({ name }) => name)).size, METHODS.length)
  })

  for (const { name, access } of METHODS) {
    if (access === 'local') continue
    it(`${name} is refused without a token, on every transport`, async () => {
      for (const door of ['unix', 'tcp'] as const) {
        const { status, json } = await call(daemon, name, {}, { door })
        assert.deepEqual([status, json.error?.code], [401, -32001])
      }
    })
  }

  it('is what the README shows', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
    assert.ok(
      readme.includes(describeInMarkdown(METHODS)),
      `put this into README.md:\n${describeInMarkdown(METHODS)}`,
    )
  })

  it('is what rpc.discover answers, as an OpenRPC 1.3 document', async () => {
    const { json } = await call(daemon, 'rpc.discover', [], { token: await mint(daemon) })
    const document = json.result as OpenRpcDocument
    assert.match(document.openrpc, /^1\.3\.\d+$/)
    assert.deepEqual(
      document.methods.map(({ name }) => name),
      METHODS.map(({ name }) => name),
    )
    const [create] = document.methods
    assert.deepEqual(
      create?.params.map(({ name, required }) => [name, required]),
      [
        ['ttl', true],
        ['name', false],
        ['description', false],
        ['replace', false],
        ['userid', false],
        ['username', false],
        ['scopes', false],
        ['max_uses', false],
        ['idle_ttl', false],
        ['allowed_ips', false],
        ['rate_limit', false],
        ['not_before', false],
        ['metadata', false],
      ],
    )
    for (const { name, schema } of document.methods.flatMap(({ params, result }) => [...params, result])) {
      assert.ok(typeof name === 'string' && typeof schema === 'object')
    }
  })
})
