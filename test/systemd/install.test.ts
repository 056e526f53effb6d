import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { ROOT } from '../support/daemon.ts'
import { needsRoot } from '../support/root.ts'
import { bootSandbox, type Sandbox } from '../support/sandbox.ts'

/** `postern install` from an npm package, and the remote door, in a real systemd. Each test goes on where the last one ended. */
const { skip } = needsRoot('openssl')
const machine = skip === false ? await bootSandbox({ after }) : (undefined as unknown as Sandbox)
const asRoot = { skip, timeout: 240_000 }

const WHOAMI = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'
/** Beyond loopback, so that the unit's IP filter is on the way. */
const ADDRESS = '10.9.8.7'

function npm(cwd: string, ...args: string[]): void {
  const { status, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}

/** Packs the program, installs it as `npm install --global` does, and moves it into the machine. */
function installGlobally(): void {
  const folder = mkdtempSync(join(tmpdir(), 'postern-packed-'))
  npm(ROOT, 'pack', '--silent', '--pack-destination', folder)
  const tarball = readdirSync(folder)[0] as string
  const prefix = join(folder, 'local')
  npm(folder, 'install', '--global', '--prefix', prefix, '--ignore-scripts', `./${tarball}`)
  // Node would resolve the link to the machine's root by its name, and write to this host.
  assert.equal(spawnSync('cp', ['-a', `${prefix}/.`, join(machine.root, 'usr/local/')]).status, 0)
  rmSync(folder, { recursive: true })
}

function whoami(token: string): Promise<string> {
  return machine.sh(
    `curl -s --cacert /etc/postern/tls.crt https://${ADDRESS}:8443/api/ -w ' %{http_code}' \
      -H 'Content-Type: application/json' -H 'Authorization: Bearer ${token}' -d '${WHOAMI}'`,
  )
}

function makeCertificate(key: string): string {
  return `openssl req -x509 ${key} -nodes -out /etc/postern/tls.crt -days 2 \
    -subj /CN=gate -addext subjectAltName=IP:${ADDRESS} 2>/dev/null`
}

describe('postern install', () => {
  it('says what it would do, and does nothing, on a dry run', asRoot, async () => {
    installGlobally()
    const steps = await machine.sh('postern install --dry-run')
    assert.match(steps, /^would make the group postern/)
    assert.match(steps, /would start postern\.socket and postern-tcp\.socket/)
    await machine.sh('test ! -e /etc/postern; ! getent group postern')
  })

  it('puts everything in place, and the socket listens', asRoot, async () => {
    const said = await machine.sh('postern install')
    assert.match(said, /\nmake \/etc\/postern\/pepper.*\n.*write \/etc\/postern\/postern\.toml\n/)
    assert.equal(await machine.sh('stat -c "%a %U %G" /run/postern/postern.sock'), '660 root postern')
    assert.equal(await machine.sh('stat -c "%a %U" /etc/postern/pepper'), '600 root')
    assert.match(await machine.sh('postern mint --ttl 1h'), /^pst_/)
    assert.match(
      await machine.sh('systemctl show -P ExecStart postern'),
      /\/usr\/local\/lib\/node_modules\/postern/,
    )
  })

  it('can be repeated, and keeps tokens, pepper and configuration', asRoot, async () => {
    const token = await machine.sh('postern mint --ttl 1h')
    const files = await machine.sh("echo '# mine' >>/etc/postern/postern.toml; md5sum /etc/postern/*")
    assert.match(
      await machine.sh('postern install'),
      /keep \/etc\/postern\/pepper\nkeep \/etc\/postern\/postern\.toml/,
    )
    assert.equal(await machine.sh('md5sum /etc/postern/*'), files)
    await machine.sh('systemctl restart postern')
    assert.match(await machine.sh(`POSTERN_TOKEN=${token} postern call Auth.WhoAmI`), /"tokenid"/)
  })

  it('is for root, with a user that there is', asRoot, async () => {
    await machine.sh('useradd -m plain')
    const refused = await machine.exec(['postern', 'install'], { user: 'plain' })
    assert.deepEqual(
      [refused.code, refused.stderr.split('\n')[0]],
      [1, 'postern: a service is installed by root'],
    )
    const unknown = await machine.exec(['postern', 'install', '--user', 'nobody-here'])
    assert.match(unknown.stderr, /there is no user nobody-here\nhint: useradd/)
  })
})

describe('the remote door under systemd', () => {
  it('opens by the example’s files, without a network for the daemon', asRoot, async () => {
    await machine.sh(`ip addr add ${ADDRESS}/32 dev lo
      cd /usr/local/lib/node_modules/postern/systemd
      mkdir /etc/systemd/system/postern.service.d
      cp remote.conf remote-tls.conf /etc/systemd/system/postern.service.d/; cp postern-remote.socket /etc/systemd/system/
      printf '[[remote]]\\nlisten = "0.0.0.0:8443"\\ncert = "/etc/postern/tls.crt"\\nkey = "tls.key"\\n' >>/etc/postern/postern.toml
      ${makeCertificate('-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -keyout /etc/postern/tls.key')}
      chmod 600 /etc/postern/tls.key
      systemctl daemon-reload; systemctl stop postern; systemctl enable --now postern-remote.socket`)
    assert.match(await whoami(await machine.sh('postern mint --ttl 1h')), /"tokenid".* 200$/)
    const pid = await machine.sh('systemctl show -P MainPID postern')
    assert.doesNotMatch(await machine.sh(`nsenter -t ${pid} -n ip address`), new RegExp(ADDRESS))
  })

  it('takes over a renewed certificate with a reload', asRoot, async () => {
    const token = await machine.sh('postern mint --ttl 1h')
    const serial = () =>
      machine.sh(
        `openssl s_client -connect ${ADDRESS}:8443 </dev/null 2>/dev/null | openssl x509 -noout -serial`,
      )
    const before = await serial()
    await machine.sh(makeCertificate('-key /etc/postern/tls.key'))
    assert.match(await machine.sh('postern reload'), /"reloaded":\["remote\[0\] certificate"\]/)
    assert.notEqual(await serial(), before)
    assert.match(await whoami(token), / 200$/)
  })
})

describe('an upstream under systemd', () => {
  it('is reached with the example’s drop-in, and not without it', asRoot, async () => {
    const service = [
      'import http.server, json',
      'class Service(http.server.BaseHTTPRequestHandler):',
      '    def do_POST(self):',
      '        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))',
      '        body = json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": "served"}).encode()',
      '        self.send_response(200)',
      '        self.send_header("Content-Length", str(len(body)))',
      '        self.end_headers()',
      '        self.wfile.write(body)',
      'http.server.HTTPServer(("127.0.0.1", 9911), Service).serve_forever()',
    ].join('\n')
    await machine.sh(`cat >/usr/local/lib/service.py <<'END'\n${service}\nEND
      systemd-run --unit=behind python3 /usr/local/lib/service.py
      until curl -s -o /dev/null http://127.0.0.1:9911/; do sleep 0.1; done
      printf '[[upstream]]\\nname = "behind"\\nnamespace = "behind."\\nstrip = true\\nurl = "http://127.0.0.1:9911/"\\nmethods = ["ask"]\\n' >>/etc/postern/postern.toml
      systemctl restart postern.service`)
    const token = await machine.sh('postern mint --ttl 1h')
    const ask = () => machine.sh(`POSTERN_TOKEN=${token} postern call behind.ask 2>&1 || true`)
    assert.match(await ask(), /Upstream failed/)
    await machine.sh(`cp /usr/local/lib/node_modules/postern/systemd/upstream.conf /etc/systemd/system/postern.service.d/
      systemctl daemon-reload; systemctl restart postern.service`)
    assert.equal(await ask(), '"served"')
  })
})

describe('postern uninstall', () => {
  it('takes the service away and keeps what is precious', asRoot, async () => {
    assert.match(await machine.sh('postern uninstall --dry-run'), /would stop the service/)
    assert.match(await machine.sh('postern uninstall'), /keep \/etc\/postern \(--purge removes it\)/)
    assert.equal(await machine.sh('ls /run/postern/postern.sock 2>/dev/null || true'), '')
    await machine.sh('test -f /etc/postern/pepper; test -d /var/lib/private/postern')
    await machine.sh('! systemctl cat postern.service 2>/dev/null | grep -q ExecStart')
  })

  it('finds its tokens again when it is installed anew, as another user too', asRoot, async () => {
    await machine.sh("sed -i '/^\\[\\[remote/,$d' /etc/postern/postern.toml")
    await machine.sh('postern install --user plain')
    assert.match(await machine.sh('postern status'), /"tokens":\d/)
    const pid = await machine.sh('systemctl show -P MainPID postern')
    assert.equal(await machine.sh(`stat -c %U /proc/${pid}`), 'plain')
  })

  it('with --purge takes everything', asRoot, async () => {
    await machine.sh('postern uninstall --purge')
    await machine.sh('test ! -e /etc/postern; test ! -e /var/lib/postern; test ! -e /var/lib/private/postern')
  })
})
