import assert from 'node:assert/strict'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { it } from 'node:test'
import { MAIN, ROOT, run, temporaryDirectory } from '../../support/daemon.ts'
import { needsRoot } from '../../support/root.ts'

const README = readFileSync(join(ROOT, 'README.md'), 'utf8')

/** In a network and a process tree of their own: the ports are those that are printed, and nothing is left over. */
it('the README puts aria2 behind Postern in ten lines', needsRoot('aria2c', 'unshare', 'ip'), async (t) => {
  const directory = temporaryDirectory(t)
  const [, block = ''] = /```sh\n(umask 077 && SECRET=.*?)```/s.exec(README) ?? []
  assert.ok(block.trim().split('\n').length <= 10, 'they are ten lines')
  const bin = join(directory, 'postern')
  writeFileSync(bin, `#!/bin/sh\nexec ${process.execPath} ${MAIN} "$@"\n`)
  chmodSync(bin, 0o755)
  const script = join(directory, 'script')
  writeFileSync(script, `ip link set lo up\nexec 2>&1\nset -m\n${block}\nkill %1 %2\nwait\n`)
  const env = {
    ...process.env,
    PATH: [directory, process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter),
    POSTERN_SOCKET: join(directory, 's'),
    POSTERN_STATE_DIR: join(directory, 'state'),
  }
  const isolated = ['--net', '--pid', '--fork', '--kill-child', 'bash', script]
  const { stdout } = await run('unshare', isolated, { cwd: directory, env })
  assert.match(stdout, /^\[\]$/m, stdout)
  assert.match(stdout, /Forbidden\. The scopes of this token do not name aria2\.addUri\./)
  const secret = readFileSync(join(directory, 'aria2-secret'), 'utf8').slice('token:'.length)
  assert.equal(secret.length, 32)
  assert.ok(!stdout.includes(secret))
})
