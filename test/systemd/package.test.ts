import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { ROOT, until } from '../support/daemon.ts'
import { needsRoot } from '../support/root.ts'
import { bootSandbox, type Sandbox } from '../support/sandbox.ts'

/**
 * The Debian package in a real systemd. One machine for all: each test finds it as the one before has left it, which is
 * how a machine is found.
 */
const { skip } = needsRoot()
const machine = skip === false ? await bootSandbox({ after }) : (undefined as unknown as Sandbox)
const asRoot = { skip, timeout: 240_000 }

const MINT = '{"jsonrpc":"2.0","method":"Auth.CreateApiToken","params":{"ttl":600},"id":1}'
const WHOAMI = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'
const JSON_TYPE = "-H 'Content-Type: application/json'"
const SOCKET = '--unix-socket /run/postern/postern.sock http://localhost/api/'
const LOOPBACK = 'http://127.0.0.1:8377/api/'

/** Runs curl inside, as somebody, and returns status and body. */
function curl(who: string, where: string, body: string, more = ''): Promise<string> {
  const as = who === 'root' ? '' : `runuser -u ${who} --`
  return machine.sh(`${as} curl -s -w ' %{http_code}' ${more} ${JSON_TYPE} ${where} -d '${body}'`)
}

async function mainPid(): Promise<string> {
  return machine.sh('systemctl show -P MainPID postern.service')
}

describe('the Debian package', () => {
  it('installs, and the socket listens', asRoot, async () => {
    for (const old of debs()) rmSync(join(ROOT, old))
    const built = spawnSync('npm', ['run', 'deb'], { cwd: ROOT, encoding: 'utf8' })
    assert.equal(built.status, 0, built.stderr)
    const [deb] = debs()
    copyFileSync(join(ROOT, deb as string), join(machine.root, 'root/postern.deb'))
    await machine.sh('dpkg -i /root/postern.deb')
    assert.equal(await machine.sh('systemctl is-active postern.socket postern-tcp.socket'), 'active\nactive')
    assert.equal(await machine.sh('systemctl is-active postern.service || true'), 'inactive')
  })

  it('gives the socket to group postern alone, and the pepper to root', asRoot, async () => {
    assert.equal(await machine.sh('stat -c "%a %U %G" /run/postern/postern.sock'), '660 root postern')
    assert.equal(await machine.sh('stat -c "%a %U" /etc/postern/pepper'), '600 root')
    assert.match(await machine.sh('cat /etc/postern/pepper'), /^[0-9a-f]{64}$/)
  })

  it('starts with the first call', asRoot, async () => {
    assert.match(await curl('root', SOCKET, MINT), /"result":"pst_\w+".* 200$/)
    assert.equal(await machine.sh('systemctl is-active postern.service'), 'active')
  })

  it('lets root and members of group postern mint on the socket, and nobody else', asRoot, async () => {
    await machine.sh('useradd -m member; usermod -aG postern member; useradd -m stranger')
    assert.match(await machine.sh('postern mint --ttl 1h'), /^pst_/)
    assert.match(await machine.sh('runuser -u member -- postern mint --ttl 1h --name by-member'), /^pst_/)
    const refused = await machine.exec(['postern', 'mint', '--ttl', '1h'], { user: 'stranger' })
    assert.deepEqual([refused.code, refused.stdout], [1, ''])
    assert.match(refused.stderr, /permission denied\nhint: ask the operator/)
  })

  it('knows over loopback the uid alone', asRoot, async () => {
    assert.match(await curl('root', LOOPBACK, MINT), / 200$/)
    assert.match(await curl('member', LOOPBACK, MINT), /-32003.* 403$/)
    assert.match(await curl('stranger', LOOPBACK, MINT), /-32003.* 403$/)
    assert.match(await curl('stranger', 'http://[::1]:8377/api/', MINT), /-32003.* 403$/)
    assert.match(await machine.sh('postern status'), /"local":\{"unix":"kernel","tcp":"kernel"\}/)
  })

  it('tells who minted a token', asRoot, async () => {
    const { minted_by } = JSON.parse(await machine.sh('postern token show by-member --json'))
    const uid = Number(await machine.sh('id -u member'))
    assert.deepEqual([minted_by.door, minted_by.uid, minted_by.username], ['unix', uid, 'member'])
  })

  it('writes the fields of mint, revocation and refusal to the journal', asRoot, async () => {
    const fields = async (event: string) => {
      const text = await machine.sh(`journalctl -o json -n 1 -u postern POSTERN_EVENT=${event}`)
      return JSON.parse(text) as Record<string, string>
    }
    const mint = await fields('token.mint')
    assert.deepEqual([mint.POSTERN_BY_KIND, mint.PRIORITY, mint.SYSLOG_IDENTIFIER], ['local', '6', 'postern'])
    assert.match(String(mint.MESSAGE), /^token\.mint: token \d+ /)
    assert.match(String((await fields('token.revoke')).POSTERN_TOKEN), /^\d+$/)
    const refusal = await fields('refusal')
    const uid = await machine.sh('id -u stranger')
    assert.deepEqual([refusal.POSTERN_UID, refusal.PRIORITY], [uid, '4'])
    assert.match(String(refusal.POSTERN_HINT), /\[\[operators\]\]/)
  })

  it('tells systemd how it is', asRoot, async () => {
    assert.match(
      await machine.sh('systemctl show -P StatusText postern.service'),
      /^\d+ tokens, 1 users, \d+ connections$/,
    )
  })

  it('is exposed as little as the unit promises, and really runs that way', asRoot, async () => {
    const units = '/usr/lib/systemd/system/postern.service'
    await machine.sh(`systemd-analyze security --offline=true --threshold=5 ${units}`)
    assert.match(await machine.sh(`systemd-analyze verify ${units} 2>&1`), /^$/)
    const status = await machine.sh(`cat /proc/${await mainPid()}/status`)
    assert.match(status, /CapEff:\s0+\n[\s\S]*NoNewPrivs:\s1\nSeccomp:\s2\n/)
    assert.doesNotMatch(status, /Uid:\s0\s/)
  })

  it('is not in the way of a first connection that comes while it starts', asRoot, async () => {
    await machine.sh('systemctl stop postern.service')
    const mints = Array.from({ length: 20 }, () => curl('root', SOCKET, MINT))
    for (const answer of await Promise.all(mints)) assert.match(answer, / 200$/)
  })

  it('refuses no connection and loses no token when it is killed under load', asRoot, async () => {
    copyFileSync(join(import.meta.dirname, 'minting.mjs'), join(machine.root, 'root/minting.mjs'))
    const socket = '/run/postern/postern.sock'
    const load = machine.exec(['node', '/root/minting.mjs', socket, MINT, '/tmp/outcomes', '/tmp/killed'])
    const before = await mainPid()
    const tokensMinted = () => machine.sh('grep -c pst_ /tmp/outcomes || true')
    await until('tokens are minted', async () => Number(await tokensMinted()) > 50)
    await machine.sh(`kill -9 ${before}; touch /tmp/killed`)
    const { code, stderr } = await load
    assert.equal(code, 0, stderr)
    const outcomes = (await machine.sh('cat /tmp/outcomes')).split('\n')
    // What the killed daemon had accepted is reset: another thing.
    const refused = outcomes.filter((outcome) => outcome.startsWith('connect '))
    assert.deepEqual(refused, [])
    assert.notEqual(await mainPid(), before)
    const tokens = outcomes.flatMap((outcome) => outcome.match(/pst_\w+/) ?? [])
    assert.ok(tokens.length > 100, `${tokens.length} of ${outcomes.length}`)
    const statuses = await machine.sh(`for token in ${tokens.join(' ')}; do
      curl -s -o /dev/null -w '%{http_code}\n' ${JSON_TYPE} -H "Authorization: Bearer $token" ${LOOPBACK} -d '${WHOAMI}'
    done | sort | uniq -c`)
    assert.equal(statuses.trim(), `${tokens.length} 200`)
  })

  it('is started anew when its event loop hangs', asRoot, async () => {
    const dropIn = '/etc/systemd/system/postern.service.d'
    await machine.sh(`mkdir -p ${dropIn}; printf '[Service]\\nWatchdogSec=2s\\n' >${dropIn}/watchdog.conf
      systemctl daemon-reload; systemctl restart postern.service`)
    const before = await mainPid()
    await machine.sh(`kill -STOP ${before}`)
    const answer = curl('root', SOCKET, MINT)
    await until('systemd starts it anew', async () => !['0', before].includes(await mainPid()), 60_000)
    await answer
    assert.match(await machine.sh('journalctl -u postern.service'), /[Ww]atchdog timeout/)
    assert.match(await curl('root', SOCKET, MINT), / 200$/)
    await machine.sh(`rm -r ${dropIn}; systemctl daemon-reload; systemctl restart postern.service`)
  })

  it('keeps its state across a restart, and across a reboot', asRoot, async () => {
    const token = await machine.sh('postern mint --ttl 1h')
    const alive = () => curl('stranger', LOOPBACK, WHOAMI, `-H 'Authorization: Bearer ${token}'`)
    await machine.sh('systemctl restart postern.service')
    assert.match(await alive(), / 200$/)
    await machine.reboot()
    assert.equal(await machine.sh('systemctl is-active postern.socket'), 'active')
    assert.match(await alive(), / 200$/)
  })

  it(
    'takes over a changed operator rule with a reload, and refuses one that is not valid',
    asRoot,
    async () => {
      assert.match(await curl('stranger', LOOPBACK, MINT), / 403$/)
      await machine.sh(`printf '[[operators]]\\nuser = "stranger"\\nmax_ttl = "1h"\\n' >>/etc/postern/postern.toml
      systemctl reload postern`)
      assert.match(await curl('stranger', LOOPBACK, MINT), / 200$/)
      await machine.sh("echo 'oops' >>/etc/postern/postern.toml")
      await assert.rejects(machine.sh('systemctl reload postern'))
      assert.match(await curl('stranger', LOOPBACK, MINT), / 200$/)
      await machine.sh("sed -i '/oops/d' /etc/postern/postern.toml; systemctl reload postern")
    },
  )

  it('opens by itself again once a configuration that is not valid is mended', asRoot, async () => {
    await machine.sh("echo 'oops' >>/etc/postern/postern.toml; systemctl stop postern.service")
    const waiting = machine.sh('postern mint --ttl 1h')
    await until(
      'it has failed a few times',
      async () => {
        return Number(await machine.sh('journalctl -u postern -o cat | grep -c "not valid TOML" || true')) > 3
      },
      60_000,
    )
    await machine.sh("sed -i '/oops/d' /etc/postern/postern.toml")
    assert.match(await waiting, /^pst_/)
    assert.equal(await machine.sh('systemctl is-active postern.socket'), 'active')
  })

  it('does not start without its rules when it may not read them', asRoot, async () => {
    await machine.sh('chmod 600 /etc/postern/postern.toml')
    await assert.rejects(machine.sh('systemctl reload postern'))
    await machine.sh('chmod 644 /etc/postern/postern.toml; systemctl reload postern')
  })

  it('is upgraded in its place, and keeps tokens and configuration', asRoot, async () => {
    const token = await machine.sh('postern mint --ttl 1h')
    const configuration = await machine.sh('md5sum /etc/postern/*')
    await machine.sh('dpkg -i /root/postern.deb')
    assert.equal(await machine.sh('md5sum /etc/postern/*'), configuration)
    assert.match(await curl('root', SOCKET, WHOAMI, `-H 'Authorization: Bearer ${token}'`), / 200$/)
  })

  it('goes away, and leaves what is precious', asRoot, async () => {
    await machine.sh('dpkg -r postern')
    assert.equal(await machine.sh('ls /run/postern/postern.sock /usr/lib/postern 2>/dev/null || true'), '')
    await machine.sh('test -f /etc/postern/pepper; test -d /var/lib/private/postern')
  })

  it('opens its sockets again when it comes back, and finds its tokens', asRoot, async () => {
    await machine.sh('dpkg -i /root/postern.deb')
    assert.equal(await machine.sh('systemctl is-active postern.socket postern-tcp.socket'), 'active\nactive')
    assert.match(await machine.sh('postern token show by-member --json'), /by-member/)
  })

  it('does not take over from a daemon that was started by hand', asRoot, async () => {
    await machine.sh('dpkg -P postern; mkdir /var/lib/postern; touch /var/lib/postern/lock')
    const untilToldOtherwise = 'until test -e /tmp/enough; do sleep 0.1; done'
    const holder = machine.exec(['flock', '/var/lib/postern/lock', '/bin/sh', '-c', untilToldOtherwise])
    await until(
      'it is locked',
      async () => (await machine.exec(['flock', '-n', '/var/lib/postern/lock', 'true'])).code === 1,
    )
    const { code, stderr } = await machine.exec(['dpkg', '-i', '/root/postern.deb'])
    assert.equal(code, 1)
    assert.match(stderr, /a daemon is running on \/var\/lib\/postern: stop it first/)
    await machine.sh('touch /tmp/enough')
    await holder
    await machine.sh('dpkg -i /root/postern.deb')
  })

  it('with purge takes its tokens along', asRoot, async () => {
    await machine.sh('dpkg -P postern')
    assert.equal(
      await machine.sh('ls -d /etc/postern /var/lib/postern /var/lib/private/postern 2>/dev/null || true'),
      '',
    )
  })
})

function debs(): string[] {
  return readdirSync(ROOT).filter((name) => /^postern_.*\.deb$/.test(name))
}
