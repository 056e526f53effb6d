import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { type Scope, until } from './daemon.ts'
import { userOf, writeNginxConfig } from './proxies.ts'
import { publicDirectory } from './root.ts'

/** A port that nobody has, and below those that the kernel gives out: whoever asks it for one could have it before it is used. */
export async function freePort(): Promise<number> {
  const port = randomInt(10_000, 30_000)
  const server = createServer()
  const isFree = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
  })
  if (!isFree) return freePort()
  server.close()
  await once(server, 'close')
  return port
}

/** Debian's nginx or Caddy with a block of configuration as it is, on a TCP port of this host. */
export async function proxyWith(
  t: Scope,
  language: 'nginx' | 'caddyfile',
  block: string,
  port: number,
): Promise<void> {
  const directory = publicDirectory(t)
  const [command = '', ...args] =
    language === 'nginx' ? ['nginx', ...writeNginxConfig(directory, block)] : await caddy(directory, block)
  const home = join(directory, 'home')
  const env = {
    ...process.env,
    PATH: `${process.env.PATH}:/usr/sbin`,
    HOME: home,
    XDG_DATA_HOME: home,
    XDG_CONFIG_HOME: home,
  }
  const child = spawn(command, args, { cwd: directory, env })
  t.after(() => child.kill('SIGTERM'))
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  const ended = once(child, 'close').then(() => {
    throw new Error(`the proxy ended at its start: ${said}`)
  })
  await Promise.race([until('the proxy listens', () => accepts(port)), ended])
  ended.catch(() => {}) // at the end of the test
}

async function caddy(directory: string, block: string): Promise<string[]> {
  const { uid, gid = uid } = await userOf('caddy')
  const home = join(directory, 'home')
  mkdirSync(home)
  chownSync(home, uid, gid)
  const file = join(directory, 'Caddyfile')
  writeFileSync(file, `{\n  admin off\n  auto_https off\n}\n${block}`)
  const identity = ['--reuid=caddy', '--regid=caddy', '--init-groups']
  return ['setpriv', ...identity, 'caddy', 'run', '--config', file, '--adapter', 'caddyfile']
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(port, '127.0.0.1')
    probe.on('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.on('error', () => resolve(false))
  })
}
