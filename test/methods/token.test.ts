import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { startDaemon } from '../support/daemon.ts'
import { accepted, call, mint, type RpcError } from '../support/talk.ts'

const daemon = await startDaemon({ after })
const admin = await mint(daemon, { ttl: 0, name: 'the admin' })

type Row = Record<string, string>

async function ask(
  method: string,
  params: unknown,
  token = admin,
): Promise<{ result?: unknown; error?: RpcError }> {
  return (await call(daemon, method, params, { token })).json
}
const ok = async (method: string, params: unknown, token = admin) => {
  const { result, error } = await ask(method, params, token)
  assert.equal(error, undefined, `${method} ${JSON.stringify(params)}`)
  return result
}
const refused = async (method: string, params: unknown, token = admin) => {
  const { error } = await ask(method, params, token)
  return [error?.code, error?.data]
}
const invalid = (path: string, reason: string) => [-32602, `Invalid parameter "${path}": ${reason}.`]
const OBJECT = [-32500, 'No permissions to referred object or it does not exist!']
const create = async (params: unknown, token = admin) =>
  ((await ok('token.create', params, token)) as { tokenids: string[] }).tokenids
const get = async (params: object, token = admin) => (await ok('token.get', params, token)) as Row[]
const one = async (tokenid: string) => (await get({ tokenids: tokenid }))[0] as Row
const names = async (params: object, token = admin) =>
  (await get({ output: ['name'], sortfield: 'tokenid', ...params }, token)).map(({ name }) => name)

const users = (await ok('user.create', [
  { username: 'plain' },
  { username: 'other' },
  { username: 'boss', roleid: '2' },
])) as { userids: string[] }
const [plainId = '', otherId = '', bossId = ''] = users.userids
const as = async (userid: string) => mint(daemon, { ttl: 0, userid })
const [plain, boss] = [await as(plainId), await as(bossId)]

describe('section 4: validation errors', () => {
  const long = (count: number) => '😀'.repeat(count)
  const rows: [method: string, params: unknown, path: string, reason: string][] = [
    ['token.create', [], '/', 'cannot be empty'],
    ['token.create', {}, '/', 'cannot be empty'],
    ['token.create', { name: '' }, '/1/name', 'cannot be empty'],
    ['token.create', { description: 'x' }, '/1', 'the parameter "name" is missing'],
    ['token.create', [{ name: 'x' }, {}], '/2', 'the parameter "name" is missing'],
    ['token.create', ['x'], '/1', 'an array is expected'],
    ['token.create', { name: 'x', foo: 1, bar: 2 }, '/1', 'unexpected parameter "foo"'],
    ['token.create', { foo: 1, name: '' }, '/1', 'unexpected parameter "foo"'],
    ['token.create', { name: 'x', tokenid: 1 }, '/1', 'unexpected parameter "tokenid"'],
    ['token.create', { name: 'x', token: 'y' }, '/1', 'unexpected parameter "token"'],
    ['token.create', { name: 5 }, '/1/name', 'a character string is expected'],
    ['token.create', { name: null }, '/1/name', 'a character string is expected'],
    ['token.create', { name: 'x', description: null }, '/1/description', 'a character string is expected'],
    ['token.create', { name: long(65) }, '/1/name', 'value is too long'],
    ['token.create', { name: 'x', description: 'y'.repeat(65_536) }, '/1/description', 'value is too long'],
    ...['', '-1', -1, '+1', ' 1', '1.0', 1.5, true, null, ['1']].map(
      (userid): [string, unknown, string, string] => [
        'token.create',
        { name: 'x', userid },
        '/1/userid',
        'a number is expected',
      ],
    ),
    ['token.create', { name: 'x', userid: '9223372036854775808' }, '/1/userid', 'a number is too large'],
    ...['x', '', '1.0', 1.5, null, true, [], '+1'].map((status): [string, unknown, string, string] => [
      'token.create',
      { name: 'x', status },
      '/1/status',
      'an integer is expected',
    ]),
    ['token.create', { name: 'x', status: 2 }, '/1/status', 'value must be one of 0, 1'],
    ['token.create', { name: 'x', status: '-1' }, '/1/status', 'value must be one of 0, 1'],
    ['token.create', { name: 'x', status: 2_147_483_648 }, '/1/status', 'a number is too large'],
    ['token.create', { name: 'x', expires_at: 2_147_483_648 }, '/1/expires_at', 'a number is too large'],
    ['token.create', { name: 'x', expires_at: '-2147483649' }, '/1/expires_at', 'a number is too large'],
    [
      'token.create',
      [{ name: 'x' }, { name: 'y' }, { name: 'x' }],
      '/3',
      'value (userid, name)=(1, x) already exists',
    ],
    [
      'token.create',
      [{ name: 'x', userid: '01' }, { name: 'x' }],
      '/2',
      'value (userid, name)=(1, x) already exists',
    ],
    ['token.update', { name: 'x' }, '/1', 'the parameter "tokenid" is missing'],
    ['token.update', { tokenid: 1, userid: 1 }, '/1', 'unexpected parameter "userid"'],
    ['token.update', [{ tokenid: 7 }, { tokenid: '007' }], '/2', 'value (tokenid)=(7) already exists'],
    ['token.generate', [], '/', 'cannot be empty'],
    ['token.generate', {}, '/', 'cannot be empty'],
    ['token.generate', { tokenids: ['1'] }, '/1', 'a number is expected'],
    ['token.generate', ['1', 'x'], '/2', 'a number is expected'],
    ['token.generate', ['9', 9], '/2', 'value (9) already exists'],
    ['token.delete', ['9', '009'], '/2', 'value (9) already exists'],
    ['token.delete', [], '/', 'cannot be empty'],
    ['token.get', { foo: 1 }, '/', 'unexpected parameter "foo"'],
    ['token.get', { editable: true }, '/', 'unexpected parameter "editable"'],
    ['token.get', { limit: 'x', tokenids: 'x' }, '/tokenids', 'an array is expected'],
    ['token.get', { tokenids: ['1', 'x'] }, '/tokenids/2', 'a number is expected'],
    ['token.get', { userids: true }, '/userids', 'an array is expected'],
    ['token.get', { token: 5 }, '/token', 'a character string is expected'],
    ['token.get', { token: 'x'.repeat(65) }, '/token', 'value is too long'],
    ['token.get', { valid_at: 'x' }, '/valid_at', 'an integer is expected'],
    ['token.get', { expired_at: 2_147_483_648 }, '/expired_at', 'a number is too large'],
    ['token.get', { filter: 5 }, '/filter', 'an array is expected'],
    ['token.get', { filter: { description: 'x' } }, '/filter', 'unexpected parameter "description"'],
    ['token.get', { filter: { token: 'x' } }, '/filter', 'unexpected parameter "token"'],
    [
      'token.get',
      { filter: { status: [0, true] } },
      '/filter/status/2',
      'a character string, integer or floating point value is expected',
    ],
    [
      'token.get',
      { filter: { status: [[0]] } },
      '/filter/status/1',
      'a character string, integer or floating point value is expected',
    ],
    ['token.get', { search: { status: 'x' } }, '/search', 'unexpected parameter "status"'],
    [
      'token.get',
      { search: { name: [null] } },
      '/search/name/1',
      'a character string, integer or floating point value is expected',
    ],
    ['token.get', { searchByAny: 1 }, '/searchByAny', 'a boolean is expected'],
    ['token.get', { searchWildcardsEnabled: null }, '/searchWildcardsEnabled', 'a boolean is expected'],
    ['token.get', { preservekeys: 'true' }, '/preservekeys', 'a boolean is expected'],
    ['token.get', { output: null }, '/output', 'an array or a character string is expected'],
    ['token.get', { output: 'count' }, '/output', 'value must be "extend"'],
    ['token.get', { output: ['name', 'name'] }, '/output/2', 'value (name) already exists'],
    ['token.get', { output: [null] }, '/output/1', 'a character string is expected'],
    [
      'token.get',
      { output: ['token'] },
      '/output/1',
      'value must be one of "tokenid", "name", "description", "userid", "lastaccess", "status", "expires_at", "created_at", "creator_userid"',
    ],
    [
      'token.get',
      { sortfield: 'userid' },
      '/sortfield/1',
      'value must be one of "tokenid", "name", "lastaccess", "status", "expires_at", "created_at"',
    ],
    ['token.get', { sortfield: ['name', 'name'] }, '/sortfield/2', 'value (name) already exists'],
    ['token.get', { sortfield: [1] }, '/sortfield/1', 'a character string is expected'],
    ['token.get', { sortfield: null }, '/sortfield', 'an array is expected'],
    ['token.get', { sortorder: 'asc' }, '/sortorder', 'value must be one of "ASC", "DESC"'],
    ['token.get', { sortorder: ['ASC', 'x'] }, '/sortorder/2', 'value must be one of "ASC", "DESC"'],
    ['token.get', { sortorder: 1 }, '/sortorder', 'an array or a character string is expected'],
    ['token.get', { limit: 0 }, '/limit', 'value must be one of 1-2147483647'],
    ['token.get', { limit: 'x' }, '/limit', 'an integer is expected'],
    ['token.get', { limit: 2_147_483_648 }, '/limit', 'a number is too large'],
  ]
  for (const [method, params, path, reason] of rows) {
    it(`${method} ${JSON.stringify(params).slice(0, 60)}: ${path} ${reason.slice(0, 50)}`, async () => {
      assert.deepEqual(await refused(method, params), invalid(path, reason))
    })
  }

  it('an object with numbered members serves as a list', async () => {
    const [a, b] = await create({ 0: { name: 'numbered 0' }, 1: { name: 'numbered 1' } })
    assert.deepEqual(await ok('token.delete', { 0: a, 1: b }), { tokenids: [a, b] })
  })

  it('a call’s list may hold 1,000 objects', async () => {
    const many = (count: number) => Array.from({ length: count }, (_, n) => ({ name: `many ${n}` }))
    assert.equal((await refused('token.create', many(1001)))[0], -32602)
    const made = await create(many(1000))
    assert.equal(new Set(made).size, 1000)
    await ok('token.delete', made)
  })
})

describe('section 5: the token object', () => {
  it('is nine members, all of them strings, in their order', async () => {
    const before = Math.floor(Date.now() / 1000)
    const [tokenid = ''] = await create({
      name: ' a\nname ',
      description: 'd',
      expires_at: '-7',
      status: '1',
    })
    const row = await one(tokenid)
    const { created_at = '', ...rest } = row
    assert.deepEqual(rest, {
      tokenid,
      name: ' a\nname ',
      description: 'd',
      userid: '1',
      lastaccess: '0',
      status: '1',
      expires_at: '-7',
      creator_userid: '1',
    })
    assert.ok(/^\d+$/.test(created_at) && Number(created_at) >= before)
    assert.deepEqual(Object.keys(row), [
      'tokenid',
      'name',
      'description',
      'userid',
      'lastaccess',
      'status',
      'expires_at',
      'created_at',
      'creator_userid',
    ])
  })

  it('has ids that rise and are never used again', async () => {
    const [first = '', second = ''] = await create([{ name: 'rising 1' }, { name: 'rising 2' }])
    await ok('token.delete', [first, second])
    const [third = ''] = await create({ name: 'rising 1' })
    assert.ok(Number(first) < Number(second) && Number(second) < Number(third))
  })

  it('has names that are unique per owner, case-sensitive', async () => {
    await create([{ name: 'Case' }, { name: 'case' }, { name: 'Case', userid: plainId }])
    assert.deepEqual(await refused('token.create', { name: 'Case' }), [
      -32602,
      'API token "Case" already exists for userid "1".',
    ])
    assert.deepEqual(await refused('token.create', { name: 'Case', userid: plainId }), [
      -32602,
      `API token "Case" already exists for userid "${plainId}".`,
    ])
  })

  it('shows creator 0 once that user is deleted; the tokens it owned are gone', async () => {
    const [leaver = ''] = (
      (await ok('user.create', { username: 'leaver', type: 'superadmin' })) as { userids: string[] }
    ).userids
    const token = await as(leaver)
    const [forPlain = ''] = await create({ name: 'made by leaver', userid: plainId }, token)
    await create({ name: 'owned by leaver' }, token)
    assert.equal((await one(forPlain)).creator_userid, leaver)
    await ok('user.delete', [leaver])
    assert.deepEqual(
      [(await one(forPlain)).creator_userid, await names({ userids: leaver }), await accepted(daemon, token)],
      ['0', [], false],
    )
    assert.deepEqual(await names({ filter: { creator_userid: 0 } }), ['made by leaver'])
  })

  it('gives fields of ours only when they are named', async () => {
    const [minted] = await get({ filter: { name: 'the admin' }, output: ['scopes', 'minted_by', 'tokenid'] })
    assert.deepEqual(Object.keys(minted ?? {}), ['tokenid', 'scopes', 'minted_by'])
  })
})

describe('section 6: who may do what', () => {
  it('an admin is no more than a user: others’ tokens are not there', async () => {
    const [foreign = ''] = await create({ name: 'foreign', userid: otherId })
    for (const token of [plain, boss]) {
      assert.deepEqual(await get({ tokenids: foreign }, token), [])
      assert.deepEqual(await refused('token.update', { tokenid: foreign, name: 'x' }, token), OBJECT)
      assert.deepEqual(await refused('token.generate', [foreign], token), OBJECT)
      assert.deepEqual(await refused('token.delete', [foreign], token), OBJECT)
      assert.deepEqual(await refused('token.delete', ['999999'], token), OBJECT)
      assert.deepEqual(await refused('token.create', { name: 'x', userid: otherId }, token), [
        -32602,
        `User with ID "${otherId}" is not available.`,
      ])
    }
    assert.deepEqual(await refused('token.create', { name: 'x', userid: 99 }), [
      -32602,
      'User with ID "99" is not available.',
    ])
  })

  it('their own tokens are theirs, whoever made them', async () => {
    const [own = ''] = await create({ name: 'given', userid: plainId })
    assert.deepEqual(await names({ tokenids: own }, plain), ['given'])
    const [{ token = '' } = {}] = (await ok('token.generate', [own], plain)) as Row[]
    assert.equal((await one(own)).creator_userid, plainId)
    assert.ok(await accepted(daemon, token))
    await ok('token.delete', [own], plain)
  })

  it('a request that names several is all or nothing', async () => {
    const [own = '', foreign = ''] = await create([{ name: 'mine', userid: plainId }, { name: 'not mine' }])
    assert.deepEqual(await refused('token.delete', [own, foreign], plain), OBJECT)
    assert.deepEqual(
      await refused('token.update', [{ tokenid: own, name: 'changed' }, { tokenid: foreign }], plain),
      OBJECT,
    )
    assert.deepEqual(await names({ tokenids: own }), ['mine'])
    assert.deepEqual(await refused('token.create', [{ name: 'fresh' }, { name: 'not mine' }]), [
      -32602,
      'API token "not mine" already exists for userid "1".',
    ])
    assert.deepEqual(await names({ filter: { name: 'fresh' } }), [])
  })
})

describe('section 7: methods', () => {
  it('token.create makes a token that does not authenticate until its secret is generated', async () => {
    const [tokenid = ''] = await create({ name: 'no secret' })
    const [first, second] = [
      await ok('token.generate', [tokenid]),
      await ok('token.generate', [Number(tokenid)]),
    ] as Row[][]
    assert.match(first?.[0]?.token ?? '', /^[0-9a-f]{64}$/)
    assert.deepEqual(
      [await accepted(daemon, first?.[0]?.token ?? ''), await accepted(daemon, second?.[0]?.token ?? '')],
      [false, true],
    )
  })

  it('the order of checks in create: objects, twins, users, names', async () => {
    await create({ name: 'occupied' })
    const bad = [{ name: 'occupied' }, { name: 'occupied' }, { name: 'y', userid: 999 }, { name: '' }]
    assert.deepEqual(await refused('token.create', bad), invalid('/4/name', 'cannot be empty'))
    assert.deepEqual(
      await refused('token.create', bad.slice(0, 3)),
      invalid('/2', 'value (userid, name)=(1, occupied) already exists'),
    )
    assert.deepEqual(await refused('token.create', [bad[0], bad[2]]), [
      -32602,
      'User with ID "999" is not available.',
    ])
    assert.deepEqual(await refused('token.create', [bad[0]]), [
      -32602,
      'API token "occupied" already exists for userid "1".',
    ])
  })

  it('token.generate answers in the order of the request and changes nothing but secret and creator', async () => {
    const [a = '', b = ''] = await create([
      { name: 'gen a', userid: plainId, expires_at: 1 },
      { name: 'gen b', status: 1 },
    ])
    const before = await one(a)
    const made = (await ok('token.generate', [b, a])) as Row[]
    assert.deepEqual(
      made.map(({ tokenid }) => tokenid),
      [b, a],
    )
    assert.deepEqual(await one(a), { ...before, creator_userid: '1' })
    for (const { token = '' } of made) assert.equal(await accepted(daemon, token), false)
  })

  it('token.generate works with the very token that is regenerated', async () => {
    const [tokenid = ''] = await create({ name: 'self' })
    const [{ token = '' } = {}] = (await ok('token.generate', [tokenid])) as Row[]
    const [{ token: next = '' } = {}] = (await ok('token.generate', [tokenid], token)) as Row[]
    assert.deepEqual([await accepted(daemon, token), await accepted(daemon, next)], [false, true])
  })

  it('token.update looks names up against the state before the request', async () => {
    const [a = '', b = ''] = await create([{ name: 'swap a' }, { name: 'swap b' }])
    const taken = (name: string) => [-32602, `API token "${name}" already exists for userid "1".`]
    assert.deepEqual(
      await refused('token.update', [
        { tokenid: a, name: 'swap b' },
        { tokenid: b, name: 'swap a' },
      ]),
      taken('swap b'),
    )
    assert.deepEqual(
      await refused('token.update', [
        { tokenid: a, name: 'moved' },
        { tokenid: b, name: 'swap a' },
      ]),
      taken('swap a'),
    )
    assert.deepEqual(
      await refused('token.update', [
        { tokenid: a, name: 'same' },
        { tokenid: b, name: 'same' },
      ]),
      invalid('/2', 'value (userid, name)=(1, same) already exists'),
    )
    assert.deepEqual(
      await ok('token.update', [
        { tokenid: a, name: 'swap a' },
        { tokenid: b, name: 'SWAP B' },
      ]),
      { tokenids: [a, b] },
    )
    assert.deepEqual(await ok('token.update', { tokenid: a }), { tokenids: [a] })
    assert.deepEqual(await ok('token.update', [{ tokenid: b, name: 'swap b' }]), { tokenids: [b] })
    await create({ name: 'SWAP B' })
  })

  it('token.update leaves creator, times and secret alone, and disabling stops the token at once', async () => {
    const [tokenid = ''] = await create({ name: 'updated' })
    const [{ token = '' } = {}] = (await ok('token.generate', [tokenid])) as Row[]
    const before = await one(tokenid)
    await ok('token.update', { tokenid, description: 'new', expires_at: 2_147_483_647 })
    assert.deepEqual(await one(tokenid), { ...before, description: 'new', expires_at: '2147483647' })
    assert.ok(await accepted(daemon, token))
    await ok('token.update', { tokenid, status: 1 })
    assert.equal(await accepted(daemon, token), false)
    await ok('token.update', { tokenid, status: 0 })
    assert.ok(await accepted(daemon, token))
    await ok('token.update', { tokenid, expires_at: 1 })
    assert.equal(await accepted(daemon, token), false)
  })

  it('the order of checks in update: objects, twins by id, permission, names', async () => {
    await create({ name: 'upd taken' })
    const [a = ''] = await create({ name: 'upd a' })
    assert.deepEqual(
      await refused('token.update', [{ tokenid: '999999' }, { tokenid: a, name: '' }]),
      invalid('/2/name', 'cannot be empty'),
    )
    assert.deepEqual(
      await refused('token.update', [{ tokenid: '999999' }, { tokenid: '999999' }]),
      invalid('/2', 'value (tokenid)=(999999) already exists'),
    )
    assert.deepEqual(
      await refused('token.update', [{ tokenid: a, name: 'upd taken' }, { tokenid: '999999' }]),
      OBJECT,
    )
  })

  it('token.delete echoes ids in their order, and the token in use may go', async () => {
    const [a = '', b = ''] = await create([{ name: 'del a' }, { name: 'del b' }])
    const [{ token = '' } = {}] = (await ok('token.generate', [a])) as Row[]
    assert.deepEqual(await ok('token.delete', [Number(b), a], token), { tokenids: [b, a] })
    assert.equal(await accepted(daemon, token), false)
    assert.deepEqual(await refused('token.delete', [a]), OBJECT)
  })

  it('of 50 parallel creates of one name exactly one succeeds', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, () => ask('token.create', { name: 'parallel' })),
    )
    assert.equal(outcomes.filter(({ error }) => error === undefined).length, 1)
    assert.equal((await names({ filter: { name: 'parallel' } })).length, 1)
  })
})

describe('section 7: token.get', async () => {
  const seed = [
    { name: 'Alpha', description: 'first one', userid: plainId, expires_at: 0 },
    { name: 'beta', description: 'SECOND 100%', userid: plainId, expires_at: 100, status: 1 },
    { name: 'Gamma_x', description: 'third ä', userid: plainId, expires_at: 200 },
    { name: 'alphabet', description: '', userid: plainId, expires_at: -5 },
  ]
  const ids = await create(seed)
  const [first = '', second = '', third = ''] = ids
  const mine = (params: object) => names({ tokenids: ids, ...params })

  const rows: [what: string, params: object, expected: string[]][] = [
    ['tokenids null: no condition', { tokenids: null, filter: { name: 'Alpha' } }, ['Alpha']],
    ['tokenids []: nothing', { tokenids: [] }, []],
    ['tokenids with unknown and repeated ones', { tokenids: [first, first, '999999'] }, ['Alpha']],
    ['userids', { userids: [otherId] }, []],
    ['userids []', { userids: [] }, []],
    ['valid_at 100', { valid_at: 100 }, ['Alpha', 'Gamma_x']],
    ['valid_at 99', { valid_at: '99' }, ['Alpha', 'beta', 'Gamma_x']],
    ['valid_at -6', { valid_at: -6 }, ['Alpha', 'beta', 'Gamma_x', 'alphabet']],
    ['expired_at 100', { expired_at: 100 }, ['beta', 'alphabet']],
    ['expired_at -5', { expired_at: -5 }, ['alphabet']],
    ['expired_at -6', { expired_at: -6 }, []],
    ['valid_at null', { valid_at: null }, ['Alpha', 'beta', 'Gamma_x', 'alphabet']],
    ['filter by name: exact, case-sensitive', { filter: { name: ['alpha', 'beta'] } }, ['beta']],
    ['filter without wildcards', { filter: { name: 'Al*' } }, []],
    ['filter by status as text or number', { filter: { status: ['1', 7] } }, ['beta']],
    ['filter with what fits no id', { filter: { tokenid: ['x', '1.5'] } }, []],
    ['filter null: no condition', { filter: { status: null } }, ['Alpha', 'beta', 'Gamma_x', 'alphabet']],
    ['filter []: nothing', { filter: { status: [] } }, []],
    ['filter by two fields: both', { filter: { status: 0, expires_at: [200, 100] } }, ['Gamma_x']],
    [
      'filter by two fields with searchByAny: any',
      { filter: { status: 1, expires_at: 200 }, searchByAny: true },
      ['beta', 'Gamma_x'],
    ],
    ['search: a part, any case', { search: { name: 'ALPHA' } }, ['Alpha', 'alphabet']],
    ['search takes % and _ as they are', { search: { description: '0%' } }, ['beta']],
    ['search takes _ as it is', { search: { name: '_' } }, ['Gamma_x']],
    ['search with Unicode case', { search: { description: 'Ä' } }, ['Gamma_x']],
    [
      'search "", [] and null: no condition',
      { search: { name: '', description: [] } },
      ['Alpha', 'beta', 'Gamma_x', 'alphabet'],
    ],
    ['search with several patterns: all', { search: { name: ['al', 'bet'] } }, ['alphabet']],
    [
      'search with searchByAny',
      { search: { name: ['gam', 'bet'] }, searchByAny: true },
      ['beta', 'Gamma_x', 'alphabet'],
    ],
    ['startSearch', { search: { name: 'bet' }, startSearch: true }, ['beta']],
    ['startSearch 0 counts as true', { search: { name: 'bet' }, startSearch: 0 }, ['beta']],
    ['startSearch null is false', { search: { name: 'bet' }, startSearch: null }, ['beta', 'alphabet']],
    ['excludeSearch: none may match', { search: { name: ['gam', 'bet'] }, excludeSearch: true }, ['Alpha']],
    [
      'excludeSearch with searchByAny: one does not match',
      { search: { name: ['al', 'bet'] }, excludeSearch: true, searchByAny: true },
      ['Alpha', 'beta', 'Gamma_x'],
    ],
    [
      'excludeSearch leaves the filter alone',
      { search: { name: 'gam' }, filter: { status: 0 }, excludeSearch: 'x' },
      ['Alpha', 'alphabet'],
    ],
    [
      'wildcards: the whole value',
      { search: { name: 'al*' }, searchWildcardsEnabled: true },
      ['Alpha', 'alphabet'],
    ],
    ['wildcards in the middle', { search: { name: '*a*t' }, searchWildcardsEnabled: true }, ['alphabet']],
    [
      'wildcards: without one it is equality in any case',
      { search: { name: 'ALPHA' }, searchWildcardsEnabled: true, startSearch: true },
      ['Alpha'],
    ],
    ['limit after sorting', { sortfield: 'name', sortorder: 'DESC', limit: 2 }, ['beta', 'alphabet']],
    ['sort by numbers as numbers', { sortfield: 'expires_at' }, ['alphabet', 'Alpha', 'beta', 'Gamma_x']],
    [
      'sort by two, orders by position',
      { sortfield: ['status', 'tokenid'], sortorder: ['DESC', 'DESC', 'ASC'] },
      ['beta', 'alphabet', 'Gamma_x', 'Alpha'],
    ],
    [
      'sort by one of two: the rest ascends',
      { sortfield: ['status', 'expires_at'], sortorder: ['DESC'] },
      ['beta', 'alphabet', 'Alpha', 'Gamma_x'],
    ],
    [
      'sort by id, descending, limited',
      {
        tokenids: null,
        userids: plainId,
        search: { name: 'ALPH' },
        sortfield: 'tokenid',
        sortorder: 'DESC',
        limit: 1,
      },
      ['alphabet'],
    ],
    ['sortfield [] is fine', { sortfield: [], limit: null }, ['Alpha', 'beta', 'Gamma_x', 'alphabet']],
  ]
  for (const [what, params, expected] of rows) {
    it(what, async () => {
      assert.deepEqual(await mine(params), expected)
    })
  }

  it('token: by secret, disabled and expired ones too; "" matches nothing', async () => {
    const [{ token = '' } = {}] = (await ok('token.generate', [second])) as Row[]
    assert.deepEqual(await names({ token }), ['beta'])
    for (const other of ['', token.slice(1), 'a'.repeat(64), token.toUpperCase()])
      assert.deepEqual(await names({ token: other }), [])
    assert.deepEqual(await names({ token: admin }), ['the admin'])
    assert.deepEqual(await names({ token: null, tokenids: first }), ['Alpha'])
  })

  it('countOutput: a string; limit, sortfield, output and preservekeys are checked and ignored', async () => {
    const all = { tokenids: ids, countOutput: true }
    assert.equal(
      await ok('token.get', { ...all, limit: 1, sortfield: 'name', output: ['name'], preservekeys: true }),
      '4',
    )
    assert.equal(await ok('token.get', { ...all, tokenids: [] }), '0')
    assert.equal(await ok('token.get', { ...all, countOutput: 'false' }), '4')
    assert.deepEqual(
      await refused('token.get', { ...all, limit: 0 }),
      invalid('/limit', 'value must be one of 1-2147483647'),
    )
  })

  it('output: a list in its order, the id first; none at all gives []', async () => {
    assert.deepEqual(
      Object.keys((await get({ tokenids: third, output: ['status', 'name', 'tokenid'] }))[0] ?? {}),
      ['tokenid', 'status', 'name'],
    )
    assert.deepEqual(await get({ tokenids: third, output: [] }), [[]])
  })

  it('preservekeys: an object by id, whether or not the id is in output; no rows: []', async () => {
    assert.deepEqual(await get({ tokenids: [third], output: ['name'], preservekeys: true }), {
      [third]: { name: 'Gamma_x' },
    })
    assert.deepEqual(await get({ tokenids: [], preservekeys: true }), [])
  })

  it('the same by every index: all, by owner, by times', async () => {
    const everything = (await get({ sortfield: 'tokenid' })).map(({ tokenid }) => tokenid)
    assert.deepEqual(
      everything,
      (await get({ sortfield: 'tokenid', sortorder: 'DESC' })).map(({ tokenid }) => tokenid).reverse(),
    )
    assert.deepEqual(new Set(await names({ userids: plainId, valid_at: 150 })).has('Gamma_x'), true)
    assert.deepEqual(
      (await names({ valid_at: 150 })).filter((name) => seed.some((one) => one.name === name)),
      ['Alpha', 'Gamma_x'],
    )
    assert.deepEqual(
      (await names({ expired_at: 150 })).filter((name) => seed.some((one) => one.name === name)),
      ['beta', 'alphabet'],
    )
  })

  it('tokens of Auth.CreateApiToken are listed like any other, revoked ones are not', async () => {
    const token = await mint(daemon, { ttl: 100, name: 'minted here' })
    const [row] = await get({ filter: { name: 'minted here' } })
    assert.equal(Number(row?.expires_at), Number(row?.created_at) + 100)
    await call(daemon, 'Auth.RevokeApiToken', undefined, { token })
    assert.deepEqual(await names({ filter: { name: 'minted here' } }), [])
    assert.deepEqual(await refused('token.delete', [row?.tokenid]), OBJECT)
  })
})

it('section 8: one audit record per token for create, update (if something changed), generate and delete', async () => {
  const [tokenid = ''] = await create({ name: 'audited' })
  await ok('token.update', { tokenid, description: 'x' })
  await ok('token.update', { tokenid, description: 'x' })
  await ok('token.generate', [tokenid])
  await ok('token.delete', [tokenid])
  const lines = (await ok('audit.get', { limit: 1000 })) as { event: string; token?: string }[]
  assert.deepEqual(
    lines
      .filter(({ token }) => token === tokenid)
      .map(({ event }) => event)
      .reverse(),
    ['token.create', 'token.update', 'token.generate', 'token.delete'],
  )
})
