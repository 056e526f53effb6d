import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isListening, run, type Scope, until } from './daemon.ts'
import { type Identity, publicDirectory } from './root.ts'

/** A reverse proxy in front of a place: `127.0.0.1:8377`, or the path of a Unix socket. Both have a socket for clients. */
export type StartProxy = (t: Scope, place: string) => Promise<string>

/** Debian's nginx: its master is root, its workers are www-data. Nothing is configured but where to. */
export const nginx: StartProxy = async (t, place) => {
  const directory = publicDirectory(t)
  const socket = join(directory, 'nginx.sock')
  const upstream = place.startsWith('/') ? `unix:${place}` : place
  const server = `server { listen unix:${socket}; location / { proxy_pass http://${upstream}; } }`
  const child = spawn('nginx', writeNginxConfig(directory, server), {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  })
  await listening(t, child, socket)
  return socket
}

/** What nginx needs around a block of its configuration to live in a folder. Returns its arguments. */
export function writeNginxConfig(directory: string, block: string): string[] {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const file = join(directory, 'nginx.conf')
  writeFileSync(
    file,
    `user www-data;
     daemon off;
     worker_processes 1;
     pid ${directory}/nginx.pid;
     error_log stderr;
     events {}
     http {
       access_log off;
       ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join('\n')}
       ${block}
     }`,
  )
  return ['-p', directory, '-c', file, '-e', 'stderr']
}

/** Debian's Caddy, as the user of its package. `more`: lines below `reverse_proxy`. */
export async function caddy(t: Scope, place: string, more = ''): Promise<string> {
  const directory = publicDirectory(t)
  const { uid, gid = uid } = await userOf('caddy')
  const home = join(directory, 'home')
  mkdirSync(home)
  chownSync(home, uid, gid)
  const socket = join(home, 'caddy.sock')
  const upstream = place.startsWith('/') ? `unix/${place}` : place
  writeFileSync(
    join(directory, 'Caddyfile'),
    `{
      admin off
      auto_https off
    }
    http:// {
      bind unix/${socket}
      reverse_proxy ${upstream} {
        ${more}
      }
    }`,
  )
  const flags = ['--reuid=caddy', '--regid=caddy', '--init-groups', 'caddy', 'run']
  const child = spawn(
    'setpriv',
    [...flags, '--config', join(directory, 'Caddyfile'), '--adapter', 'caddyfile'],
    {
      cwd: directory,
      env: { ...process.env, HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home },
    },
  )
  await listening(t, child, socket)
  return socket
}

export async function userOf(name: string): Promise<Identity> {
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => (await run('id', [flag, name])).stdout),
  )
  return { uid: Number(uid), gid: Number(gid) }
}

async function listening(t: Scope, child: ChildProcess, socket: string): Promise<void> {
  t.after(() => child.kill('SIGTERM'))
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  child.stdout?.resume()
  const ended = once(child, 'close').then(() => {
    throw new Error(`the proxy ended at its start: ${said}`)
  })
  await Promise.race([until('the proxy listens', () => isListening(socket)), ended])
  ended.catch(() => {}) // at the end of the test
}
