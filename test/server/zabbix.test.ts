import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { EXAMPLE_TIME, machine } from '../support/datafor.ts'
import { accepted, call, type HttpQuestion, http, mint, type Response } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const open = await startDaemon(
  { after },
  { config: '[zabbix]\nanonymous_methods = ["apiinfo.version", "user.checkAuthentication"]\n' },
)
const admin = await mint(daemon)
const PATH = '/api_jsonrpc.php'

/** The body of a request on the Zabbix path; always 200. */
async function ask(body: string | undefined, question: HttpQuestion = {}, on = daemon): Promise<Response> {
  const { status, json } = await http(on, body, { path: PATH, token: admin, ...question })
  assert.equal(status, 200)
  return json
}
const rpc = (method: string, params: unknown = [], more: object = {}) =>
  JSON.stringify({ jsonrpc: '2.0', method, params, id: 1, ...more })
const zabbix = (method: string, params: unknown = [], question: HttpQuestion = {}, on = daemon) =>
  ask(rpc(method, params), question, on)
const error = async (...args: Parameters<typeof zabbix>) => {
  const { error } = await zabbix(...args)
  return [error?.code, error?.data]
}

describe('section 1: endpoint and HTTP', () => {
  it('accepts exactly three content types, whatever follows a semicolon', async () => {
    for (const type of [
      'application/json-rpc',
      'application/json',
      'application/jsonrequest',
      'application/json; charset=x',
      'application/json;',
    ]) {
      assert.deepEqual(
        (await zabbix('token.get', {}, { headers: { 'Content-Type': type } })).error,
        undefined,
      )
    }
  })

  it('answers another content type, or none, with 412 and an empty body', async () => {
    for (const type of ['text/plain', 'Application/JSON', 'application/json ', 'application/jsonx', '']) {
      const { status, body } = await http(daemon, rpc('token.get'), {
        path: PATH,
        headers: { 'Content-Type': type },
      })
      // A trailing space is taken off by HTTP itself.
      assert.deepEqual([status, body], type === 'application/json ' ? [200, body] : [412, ''], type)
    }
    const { status, body } = await http(daemon, undefined, { path: PATH, method: 'GET' })
    assert.deepEqual([status, body], [412, ''])
  })

  it('answers OPTIONS with 200 and an empty body, before any content type', async () => {
    const { status, body, headers } = await http(daemon, undefined, { path: PATH, method: 'OPTIONS' })
    assert.deepEqual([status, body, headers['access-control-allow-origin']], [200, '', undefined])
  })

  it('takes PUT for POST, and GET for a request with an empty body', async () => {
    assert.equal((await ask(rpc('token.get', {}), { method: 'PUT' })).error, undefined)
    const got = await ask(undefined, { method: 'GET', headers: { 'Content-Type': 'application/json' } })
    assert.equal(got.error?.code, -32700)
  })

  it('answers in JSON, with what is not ASCII escaped and slashes as they are', async () => {
    const { body, headers } = await http(daemon, rpc('ü/😀', []), { path: PATH })
    assert.equal(headers['content-type'], 'application/json')
    assert.ok(body.includes('Incorrect API \\"\\u00fc/\\ud83d\\ude00\\".'), body)
  })

  it('takes a byte order mark, bad bytes, a lone surrogate and too deep a nest for parse errors', async () => {
    const bad = [
      '\ufeff{}',
      Buffer.from([0x22, 0xff, 0x22]),
      rpc('x', ['\ud800']),
      `${'['.repeat(512)}${']'.repeat(512)}`,
    ]
    for (const body of bad) assert.equal((await ask(body as string)).error?.code, -32700)
    const nest = (levels: number) =>
      `{"jsonrpc":"2.0","method":"token.get","params":{"tokenids":${'['.repeat(levels - 2)}${']'.repeat(levels - 2)}},"id":1}`
    assert.equal((await ask(nest(511))).error?.code, -32602)
    assert.equal((await ask(nest(512))).error?.code, -32700)
  })
})

describe('section 2: the envelope', () => {
  const PARSE = 'Invalid JSON. An error occurred on the server while parsing the JSON text.'
  const SCALAR = 'The received JSON is not a valid JSON-RPC request.'
  const rows: [what: string, body: string, code: number, data: string, id: unknown][] = [
    ['no JSON', '{', -32700, PARSE, null],
    ['an empty body', '', -32700, PARSE, null],
    ['a scalar', '7', -32600, SCALAR, null],
    ['null', 'null', -32600, SCALAR, null],
    ['[]', '[]', -32600, SCALAR, null],
    ['{}', '{}', -32600, SCALAR, null],
    [
      'an unknown member, before anything else',
      '{"foo":1,"id":5}',
      -32600,
      'Invalid parameter "/": unexpected parameter "foo".',
      5,
    ],
    [
      'an auth member',
      rpc('token.get', {}, { auth: null }),
      -32600,
      'Invalid parameter "/": unexpected parameter "auth".',
      1,
    ],
    ['no jsonrpc', '{"id":5}', -32600, 'Invalid parameter "/": the parameter "jsonrpc" is missing.', 5],
    [
      'another jsonrpc',
      '{"jsonrpc":"1.0","id":5}',
      -32600,
      'Invalid parameter "/jsonrpc": value must be "2.0".',
      5,
    ],
    [
      'no method',
      '{"jsonrpc":"2.0","id":5}',
      -32600,
      'Invalid parameter "/": the parameter "method" is missing.',
      5,
    ],
    [
      'a method that is no text',
      '{"jsonrpc":"2.0","method":1,"id":5}',
      -32600,
      'Invalid parameter "/method": a character string is expected.',
      5,
    ],
    [
      'no params',
      '{"jsonrpc":"2.0","method":"token.get","id":5}',
      -32600,
      'Invalid parameter "/": the parameter "params" is missing.',
      5,
    ],
    [
      'params null',
      rpc('token.get', null),
      -32600,
      'Invalid parameter "/params": an array or object is expected.',
      1,
    ],
    [
      'params a scalar',
      rpc('token.get', 'x'),
      -32600,
      'Invalid parameter "/params": an array or object is expected.',
      1,
    ],
    [
      'an invalid request without id',
      '{"jsonrpc":"2.0"}',
      -32600,
      'Invalid parameter "/": the parameter "method" is missing.',
      null,
    ],
    ['an unknown API', rpc('nope.x'), -32601, 'Incorrect API "nope".', 1],
    ['an unknown method', rpc('token.nope'), -32601, 'Incorrect method "token.nope".', 1],
    ['an API alone', rpc('token'), -32601, 'Incorrect method "token.".', 1],
    ['methods of the native path', rpc('Auth.WhoAmI'), -32601, 'Incorrect API "Auth".', 1],
  ]
  for (const [what, body, code, data, id] of rows) {
    it(`${what}`, async () => {
      const answer = await ask(body)
      assert.deepEqual([answer.error?.code, answer.error?.data, answer.id], [code, data, id])
    })
  }

  it('an invalid id is not echoed', async () => {
    for (const id of [true, {}, []]) {
      const answer = await ask(rpc('token.get', {}, { id }))
      assert.deepEqual([answer.error?.code, answer.id], [-32600, null])
      assert.match(answer.error?.data ?? '', /^Invalid parameter "\/id": /)
    }
  })

  it('messages have Zabbix’s full stops', async () => {
    assert.equal((await ask('{')).error?.message, 'Parse error')
    assert.equal((await ask('{}')).error?.message, 'Invalid request.')
    assert.equal((await zabbix('nope.x')).error?.message, 'Method not found.')
  })

  it('a notification runs and gets an empty body, also when it fails; id null is none', async () => {
    const silent = (method: string, params: unknown) =>
      http(daemon, JSON.stringify({ jsonrpc: '2.0', method, params }), { path: PATH, token: admin })
    for (const answer of [await silent('token.create', { name: 'notified' }), await silent('nope.x', [])]) {
      assert.deepEqual([answer.status, answer.body], [200, ''])
    }
    assert.equal((await zabbix('token.get', { filter: { name: 'notified' }, countOutput: true })).result, '1')
    assert.equal((await ask(rpc('token.get', {}, { id: null }))).id, null)
  })

  it('a batch runs in order; one that fails stops nothing; notifications are left out', async () => {
    const batch = [
      { jsonrpc: '2.0', method: 'token.create', params: { name: 'in a batch' }, id: 1 },
      { jsonrpc: '2.0', method: 'token.create', params: { name: 'in a batch' }, id: 2 },
      { jsonrpc: '2.0', method: 'token.get', params: {} },
      7,
      {
        jsonrpc: '2.0',
        method: 'token.get',
        params: { filter: { name: 'in a batch' }, countOutput: true },
        id: 3,
      },
    ]
    const answers = (await ask(JSON.stringify(batch))) as unknown as Response[]
    assert.deepEqual(
      answers.map(({ id, error }) => [id, error?.code]),
      [
        [1, undefined],
        [2, -32602],
        [null, -32600],
        [3, undefined],
      ],
    )
    assert.equal(answers[2]?.error?.data, 'Invalid parameter "/": an array is expected.')
    assert.equal(answers[3]?.result, '1')
    const { body } = await http(daemon, '[{"jsonrpc":"2.0","method":"token.get","params":{}}]', {
      path: PATH,
      token: admin,
    })
    assert.equal(body, '')
  })

  it('names match in any case, and a third part is ignored', async () => {
    assert.equal((await zabbix('TOKEN.Get', { countOutput: true })).error, undefined)
    assert.equal((await zabbix('token.get.more', { countOutput: true })).error, undefined)
  })

  it('unknown methods are told before anybody is asked who they are', async () => {
    assert.deepEqual(await error('token.nope', [], { token: 'x' }), [
      -32601,
      'Incorrect method "token.nope".',
    ])
  })
})

describe('section 3: authentication', () => {
  const hex = async (members: object = {}) => {
    const { result } = await zabbix('token.create', { name: `t${Math.random()}`, ...members })
    const [tokenid = ''] = (result as { tokenids: string[] }).tokenids
    const generated = (await zabbix('token.generate', [tokenid])).result as { token: string }[]
    return { tokenid, token: generated[0]?.token ?? '' }
  }
  const NOT_AUTHORIZED = [-32602, 'Not authorized.']
  const SESSION = [-32602, 'Session terminated, re-login, please.']

  it('the prefix is exactly Bearer and one space', async () => {
    const { token } = await hex()
    const header = (Authorization: string) =>
      error('token.get', { countOutput: true }, { headers: { Authorization } })
    const without = { path: PATH, headers: {} }
    assert.deepEqual(await header(`Bearer ${token}`), [undefined, undefined])
    for (const other of [`bearer ${token}`, `Basic ${token}`, 'Bearer', token])
      assert.deepEqual(await header(other), NOT_AUTHORIZED, other)
    assert.deepEqual(await header(`Bearer  ${token}`), SESSION)
    const { json } = await http(daemon, rpc('token.get'), without)
    assert.deepEqual([json.error?.code, json.error?.data], NOT_AUTHORIZED)
  })

  it('64 characters that are unknown, deleted, replaced or disabled are not authorized', async () => {
    const gone = await hex()
    await zabbix('token.delete', [gone.tokenid])
    const replaced = await hex()
    await zabbix('token.generate', [replaced.tokenid])
    const disabled = await hex({ status: 1 })
    const disabledAndExpired = await hex({ status: 1, expires_at: 1 })
    for (const token of [
      'a'.repeat(64),
      gone.token,
      replaced.token,
      disabled.token,
      disabledAndExpired.token,
    ]) {
      assert.deepEqual(await error('token.get', {}, { token }), NOT_AUTHORIZED)
    }
  })

  it('the tokens of a disabled user are not authorized, expired or not', async () => {
    const { result } = await zabbix('user.create', { username: 'off' })
    const [userid = ''] = (result as { userids: string[] }).userids
    const [live, expired] = [await hex({ userid }), await hex({ userid, expires_at: 1 })]
    await zabbix('user.update', { userid, status: 1 })
    for (const { token } of [live, expired])
      assert.deepEqual(await error('token.get', {}, { token }), NOT_AUTHORIZED)
  })

  it('an expired token is said to be expired', async () => {
    for (const expires_at of [1, -5]) {
      const { token } = await hex({ expires_at })
      assert.deepEqual(await error('token.get', {}, { token }), [-32500, 'API token expired.'])
      assert.equal(await accepted(daemon, token), false)
    }
  })

  it('another length is a dead session; an upper-case copy is unknown', async () => {
    const { token } = await hex()
    assert.deepEqual(await error('token.get', {}, { token: token.slice(1) }), SESSION)
    assert.deepEqual(await error('token.get', {}, { token: token.toUpperCase() }), NOT_AUTHORIZED)
  })

  it('a pst_ token is a token, here as there', async () => {
    assert.deepEqual(await error('token.get', { countOutput: true }, { token: admin }), [
      undefined,
      undefined,
    ])
    const dead = await mint(daemon)
    await call(daemon, 'Auth.RevokeApiToken', undefined, { token: dead })
    assert.deepEqual(await error('token.get', {}, { token: dead }), NOT_AUTHORIZED)
  })

  it('a token authenticates in the very second of its expires_at, and not after', async (t) => {
    const { daemon: on, pass } = await machine(t)
    const first = { token: await mint(on) }
    const expires_at = EXAMPLE_TIME / 1000 + 60
    const { result } = await zabbix('token.create', { name: 'ends', expires_at }, first, on)
    const { tokenids } = result as { tokenids: string[] }
    const [{ token }] = (await zabbix('token.generate', tokenids, first, on)).result as [{ token: string }]
    const said = () => error('token.get', { countOutput: true }, { token }, on)
    pass(60_999)
    assert.deepEqual(await said(), [undefined, undefined])
    pass(1)
    assert.deepEqual(await said(), [-32500, 'API token expired.'])
  })

  it('lastaccess is written by any call that authenticates, in whole seconds', async () => {
    const lastaccess = async (tokenid: string) =>
      (
        (await zabbix('token.get', { tokenids: tokenid, output: ['lastaccess'] })).result as {
          lastaccess: string
        }[]
      )[0]?.lastaccess
    for (const [method, params, written] of [
      ['token.get', { foo: 1 }, true],
      ['user.create', { username: '' }, true],
      ['token.nope', {}, false],
    ] as const) {
      const { token, tokenid } = await hex()
      assert.equal(await lastaccess(tokenid), '0')
      await zabbix(method, params, { token })
      assert.equal((await lastaccess(tokenid)) !== '0', written, method)
      assert.match((await lastaccess(tokenid)) ?? '', /^\d{1,10}$/)
    }
  })

  it('one header serves a batch: the rest of it runs after the token was deleted', async () => {
    const { token, tokenid } = await hex()
    const batch = [
      { jsonrpc: '2.0', method: 'token.delete', params: [tokenid], id: 1 },
      { jsonrpc: '2.0', method: 'token.get', params: { countOutput: true }, id: 2 },
    ]
    const answers = (await ask(JSON.stringify(batch), { token })) as unknown as Response[]
    assert.deepEqual(
      answers.map(({ error }) => error),
      [undefined, undefined],
    )
    assert.deepEqual(await error('token.get', {}, { token }), NOT_AUTHORIZED)
  })

  it('apiinfo.version and user.checkAuthentication take a token unless the configuration says otherwise', async () => {
    for (const [method, params] of [
      ['apiinfo.version', []],
      ['user.checkAuthentication', { token: admin }],
    ] as const) {
      const { json } = await http(daemon, rpc(method, params), { path: PATH })
      assert.deepEqual([json.error?.code, json.error?.data], NOT_AUTHORIZED)
      assert.equal((await zabbix(method, params)).error, undefined)
      assert.equal((await call(daemon, method, params, { token: admin })).json.error?.code, -32601)
    }
  })

  it('where it does, they behave as Zabbix’s do', async () => {
    const anonymous = async (method: string, params: unknown, headers = {}) =>
      (await http(open, rpc(method, params), { path: PATH, headers })).json
    assert.match(String((await anonymous('apiinfo.version', [])).result), /^7\.\d+\.\d+$/)
    assert.equal(
      (await anonymous('apiinfo.version', { a: 1 })).error?.data,
      'Invalid parameter "/": should be empty.',
    )
    const token = await mint(open)
    const user = (await anonymous('user.checkAuthentication', { token })).result as Record<string, unknown>
    assert.deepEqual(
      [user.userid, user.username, user.roleid, user.type, user.debug_mode, user.gui_access],
      ['1', 'Admin', '3', 3, 0, 0],
    )
    for (const method of ['apiinfo.version', 'user.checkAuthentication']) {
      const { error } = await anonymous(method, [], { Authorization: `Bearer ${token}` })
      assert.deepEqual(
        [error?.code, error?.data],
        [-32602, `The "${method}" method must be called without authorization header.`],
      )
    }
    const check = async (params: unknown) => {
      const { error } = await anonymous('user.checkAuthentication', params)
      return [error?.code, error?.data]
    }
    assert.deepEqual(await check({}), [-32602, 'Session ID or token is expected.'])
    assert.deepEqual(await check({ token, sessionid: 'x' }), [-32602, 'Session ID or token is expected.'])
    assert.deepEqual(await check({ sessionid: 'a'.repeat(32) }), SESSION)
    assert.deepEqual(await check({ token: 'short' }), NOT_AUTHORIZED)
    assert.deepEqual(await check({ token: 'a'.repeat(64) }), NOT_AUTHORIZED)
    assert.equal((await anonymous('token.get', {})).error?.data, 'Not authorized.')
  })

  it('a type that is not enough has no permissions to call', async () => {
    const { result } = await zabbix('user.create', { username: 'plain' })
    const token = await mint(daemon, { ttl: 60, userid: (result as { userids: string[] }).userids[0] })
    assert.deepEqual(await error('user.create', { username: 'x' }, { token }), [
      -32500,
      'No permissions to call "user.create".',
    ])
    assert.equal((await call(daemon, 'user.create', { username: 'x' }, { token })).status, 403)
  })
})
