import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Ended, run, type Scope } from './daemon.ts'

const SCRIPT = fileURLToPath(new URL('sandbox.sh', import.meta.url))

export interface ExecOptions {
  readonly input?: string
  /** Who runs it; root where left out. */
  readonly user?: string
}

/** A machine with a real systemd, in which a package can be installed and services run. Needs root. */
export interface Sandbox {
  /** Its root directory, as the host sees it, to read and write files. Another one after a reboot. */
  readonly root: string
  exec(command: readonly string[], options?: ExecOptions): Promise<Ended>
  /** Runs a shell script as root, which must succeed, and returns what it printed. */
  sh(script: string): Promise<string>
  /** Stops everything in order and boots again: /etc, /var and /usr are kept, /run and /tmp are not. */
  reboot(): Promise<void>
}

/** Boots a machine of the test's own, from a copy of the host's; gone when the test ends. */
export async function bootSandbox(t: Scope): Promise<Sandbox> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-sandbox-'))
  // Registered first, as a boot can fail halfway; and in one hook, as only what is down can be removed.
  t.after(() => {
    const { status, stderr } = spawnSync('bash', [SCRIPT, 'down', directory], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`the sandbox in ${directory} did not go down: ${stderr}`)
    rmSync(directory, { recursive: true })
  })
  const sandbox = (command: string, ...args: string[]) => run('bash', [SCRIPT, command, directory, ...args])
  await succeeded('boot', sandbox('up'))
  return {
    get root() {
      return `/proc/${readFileSync(join(directory, 'init.pid'), 'utf8').trim()}/root`
    },
    exec(command, { input, user } = {}) {
      const become = user === undefined ? [] : ['runuser', '-u', user, '--']
      const args = [SCRIPT, 'exec', directory, ...become, ...command]
      return run('bash', args, input === undefined ? {} : { input })
    },
    async sh(script) {
      return (await succeeded(script, sandbox('exec', '/bin/sh', '-euc', script))).trim()
    },
    async reboot() {
      await succeeded('reboot', sandbox('reboot'))
    },
  }
}

async function succeeded(what: string, running: Promise<Ended>): Promise<string> {
  const { code, stdout, stderr } = await running
  if (code !== 0) throw new Error(`in the sandbox, ${what} ended with ${code}: ${stderr}${stdout}`)
  return stdout
}
