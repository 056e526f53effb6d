import assert from 'node:assert/strict'
import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { logged, refusal, serveArguments, startDaemon, temporaryDirectory } from '../support/daemon.ts'
import { assertForbidden, assertMinted, mintAs } from '../support/minting.ts'
import { reload } from '../support/reload.ts'
import { asService, DAEMON, GAMES, needsRoot, publicDirectory, STRANGER } from '../support/root.ts'
import { call, mint } from '../support/talk.ts'

const root = needsRoot()
const OPEN = '[listen]\nsocket_mode = "0666"\n'
const open = (config = '') => ({ directory: publicDirectory({ after }), config: `${OPEN}${config}` })

const daemon = await startDaemon(
  { after },
  open(`
    [[operators]]
    uid = 1
    userid = "1"
    max_ttl = "1h"
    scopes = ["token.get", "Auth.*"]
    [[operators]]
    user = "games"
    [[operators]]
    gid = 7777
    max_ttl = "1m"
    [[operators]]
    group = "audio"
    scopes = ["token.get"]
    [[operators]]
    uid = 6000
    scopes = ["Auth.WhoAmI"]`),
)
const AUDIO = 29

async function scopesOf(token: string): Promise<unknown> {
  const { json } = await call(daemon, 'Auth.WhoAmI', undefined, { token })
  return (json.result as { scopes?: unknown } | undefined)?.scopes
}

describe('a rule of [[operators]]', root, () => {
  it('is about a user by number or by name, on both doors', async () => {
    for (const who of [DAEMON, GAMES])
      for (const door of ['unix', 'tcp'] as const) assertMinted(await mintAs(who, daemon, door))
  })

  it('is about a group on the Unix socket, be it the caller’s first one or another', async () => {
    assertMinted(await mintAs({ uid: 6001, gid: 7777 }, daemon, 'unix'))
    assertMinted(await mintAs({ uid: 6001, groups: [5555, 7777] }, daemon, 'unix'))
    const many = Array.from({ length: 300 }, (_, n) => 20_000 + n)
    assertMinted(await mintAs({ uid: 6001, groups: [...many, AUDIO] }, daemon, 'unix'))
    assertForbidden(await mintAs({ uid: 6001, groups: many }, daemon, 'unix'))
  })

  it('about a group never matches on TCP', async () => {
    assertForbidden(await mintAs({ uid: 6001, gid: 7777, groups: [7777, AUDIO] }, daemon, 'tcp'))
  })

  it('about a user is not about a group of the same number', async () => {
    assertForbidden(await mintAs({ uid: 7777, gid: 6000, groups: [1] }, daemon, 'unix'))
  })

  it('decides if it is the first one that matches', async () => {
    const both = { uid: 6001, groups: [AUDIO, 7777] }
    assertForbidden(await mintAs(both, daemon, 'unix', { ttl: 61 }), /a ttl from 1 to 60 seconds/)
    assert.deepEqual(await scopesOf(assertMinted(await mintAs(both, daemon, 'unix', { ttl: 60 }))), ['*'])
  })

  it('about a user comes before those about groups, and so do root and the daemon’s own', async () => {
    for (const door of ['unix', 'tcp'] as const) {
      const token = assertMinted(
        await mintAs({ uid: 6000, groups: [7777, AUDIO] }, daemon, door, { ttl: 61 }),
      )
      assert.deepEqual(await scopesOf(token), ['Auth.WhoAmI'])
    }
    assertMinted(await mintAs({ uid: 0, gid: 7777, groups: [AUDIO] }, daemon, 'unix', { ttl: 0 }))
  })

  it('limits lifetime, owner and scopes, and says so', async () => {
    const refused: [params: object, why: RegExp][] = [
      [{ ttl: 3601 }, /allows a ttl from 1 to 3600 seconds/],
      [{ ttl: 0 }, /allows a ttl from 1 to 3600 seconds/],
      [{ ttl: 60, userid: '2' }, /allows tokens of user 1 only/],
      [{ ttl: 60, scopes: ['*'] }, /allows scopes within token.get Auth\.\*/],
      [{ ttl: 60, scopes: ['Auth.WhoAmI', 'token.create'] }, /allows scopes within/],
      [{ ttl: 60, scopes: ['token.*'] }, /allows scopes within/],
      [{ ttl: 60, scopes: ['auth.whoami'] }, /allows scopes within/],
    ]
    for (const [params, why] of refused) assertForbidden(await mintAs(DAEMON, daemon, 'unix', params), why)
    for (const params of [{ ttl: 3600 }, { ttl: 1, userid: '1', scopes: ['Auth.WhoAmI', 'token.get'] }])
      assertMinted(await mintAs(DAEMON, daemon, 'unix', params))
  })

  it('fills in its own scopes where none are asked for', async () => {
    const token = assertMinted(await mintAs(DAEMON, daemon, 'unix'))
    assert.deepEqual(await scopesOf(token), ['token.get', 'Auth.*'])
  })

  it('fills in its own owner where none is asked for, and knows them by name too', async (t) => {
    const config = '[[operators]]\nuid = 1\nuserid = "2"\n'
    const other = await startDaemon(t, { ...open(), config: `${OPEN}${config}` })
    const draft = { username: 'bot', roleid: 1 }
    const { json } = await call(other, 'user.create', draft, { token: await mint(other) })
    assert.deepEqual(json.result, { userids: ['2'] })
    for (const params of [{ ttl: 60 }, { ttl: 60, username: 'bot' }]) {
      const token = assertMinted(await mintAs(DAEMON, other, 'unix', params))
      const { json } = await call(other, 'Auth.WhoAmI', undefined, { token })
      assert.deepEqual((json.result as { user: object }).user, { userid: '2', username: 'bot' })
    }
    assertForbidden(
      await mintAs(DAEMON, other, 'unix', { ttl: 60, username: 'Admin' }),
      /tokens of user 2 only/,
    )
  })

  it('holds for root too', async (t) => {
    const bound = await startDaemon(t, { config: '[[operators]]\nuid = 0\nmax_ttl = "1m"\n' })
    assertForbidden(await call(bound, 'Auth.CreateApiToken', { ttl: 0 }))
    assertMinted(await call(bound, 'Auth.CreateApiToken', { ttl: 60 }))
  })
})

describe('without a rule', root, () => {
  it('a caller on this host is refused; the log has the uid and a hint', async () => {
    assertForbidden(await mintAs(STRANGER, daemon, 'unix'), /uid 54321 is no operator/)
    await logged(
      daemon,
      /"event":"refusal","door":"unix","uid":54321.+"hint":"[^"]*add \[\[operators\]\] with uid = 54321/,
    )
    const { json } = await mintAs(STRANGER, daemon, 'tcp')
    assert.doesNotMatch(json.error?.data ?? '', /uid/, 'on TCP nobody is told')
    await logged(daemon, /"event":"refusal","door":"tcp","uid":54321/)
  })

  it('root and the daemon’s own uid mint on both doors, and nobody else', async (t) => {
    const directory = publicDirectory(t)
    const uid = 43_210
    chownSync(directory, uid, uid)
    mkdirSync(join(directory, 'state'))
    chownSync(join(directory, 'state'), uid, uid)
    const own = await startDaemon(t, { directory, config: OPEN, under: asService({ uid }) })
    for (const door of ['unix', 'tcp'] as const) {
      assertMinted(await mintAs({ uid: 0 }, own, door))
      assertMinted(await mintAs({ uid }, own, door))
      assertForbidden(await mintAs({ uid: 43_211, gid: uid, groups: [0] }, own, door))
    }
  })
})

describe('rules are read', root, () => {
  it('at the start, which a name that nobody has ends with a clear refusal', async (t) => {
    for (const what of ['user', 'group']) {
      const config = `[[operators]]\nuid = 1\n[[operators]]\n${what} = "no-such-${what}"\n`
      const complaint = `^postern: operators\\[1\\]: this host has no ${what} no-such-${what}\nhint: `
      assert.match(await refusal(serveArguments(temporaryDirectory(t), config)), new RegExp(complaint))
    }
  })

  it('again on SIGHUP: a changed rule is taken over, a wrong one leaves the old ones', async (t) => {
    const changing = await startDaemon(t, open('[[operators]]\nuid = 1\n'))
    assertMinted(await mintAs(DAEMON, changing, 'unix'))
    assert.equal(await reload(changing, `${OPEN}[[operators]]\nuid = 5\n`), 'taken')
    assertForbidden(await mintAs(DAEMON, changing, 'unix'))
    assertMinted(await mintAs(GAMES, changing, 'unix'))
    for (const wrong of [
      'user = "no-such-user"',
      'uid = 1\nuser = "daemon"',
      'uid = -1',
      '',
      'uid = 1\nscopes = ["a.*.b"]',
    ]) {
      assert.equal(await reload(changing, `${OPEN}[[operators]]\n${wrong}\n`), 'refused')
      assertForbidden(await mintAs(DAEMON, changing, 'unix'))
      assertMinted(await mintAs(GAMES, changing, 'unix'))
    }
  })
})
