import type { Daemon } from '../support/daemon.ts'
import { ok } from '../support/lives.ts'
import { call, mint } from '../support/talk.ts'

/** Who calls: a superadmin's token, that of a plain user, or nobody's. */
export type Who = 'superadmin' | 'user' | 'nobody'

const USERS = 2
const TOKENS = 3
/** Ids in one deletion. */
const CHUNK = 500

/** The tokens that calls are made with, and what there is for them to be about. */
export class Callers {
  readonly #daemon: Daemon
  #tokens: Partial<Record<Who, string>> = {}
  #made = 0
  /** Of what there is at the moment, or was a moment ago. */
  ids: { readonly tokens: readonly string[]; readonly users: readonly string[] } = { tokens: [], users: [] }

  /** What answers have told, by the name of the member: one cannot make up a secret, or the name of a backup. */
  readonly told: Record<string, string> = {}

  constructor(daemon: Daemon) {
    this.#daemon = daemon
  }

  async token(who: Who): Promise<string | undefined> {
    if (who === 'nobody') return undefined
    const token = this.#tokens[who] ?? (await this.#mint(who))
    this.#tokens[who] = token
    return token
  }

  async #mint(who: Who): Promise<string> {
    if (who === 'superadmin') return mint(this.#daemon)
    return mint(this.#daemon, { ttl: 0, userid: await this.#makeUser() })
  }

  async #makeUser(): Promise<string> {
    const { userids } = await this.#ask<{ userids: string[] }>('user.create', {
      username: `user ${++this.#made}`,
    })
    return userids[0] as string
  }

  async #ask<T>(method: string, params: unknown): Promise<T> {
    return ok<T>(this.#daemon, method, params, (await this.token('superadmin')) as string)
  }

  /** A change may have been about any of them: who calls next gets new ones. */
  forget(): void {
    this.#tokens = {}
  }

  remember(result: unknown): void {
    const of = (Array.isArray(result) ? result[0] : result) as Record<string, unknown> | null
    for (const member of ['token', 'jti', 'backup']) {
      const value = typeof of === 'object' ? of?.[member] : undefined
      if (typeof value === 'string') this.told[member] = value
    }
  }

  /** The number of the last line in the audit log: there is one for each change. */
  async lastLine(): Promise<number> {
    const [line] = await this.#ask<{ seq: number }[]>('audit.get', { limit: 1 })
    return line?.seq ?? 0
  }

  /** What callers have changed since. The daemon has changes of its own: tokens end while others are talked about. */
  async linesSince(number: number): Promise<unknown[]> {
    const lines = await this.#ask<{ by: { kind: string } }[]>('audit.get', { after: number })
    return lines.filter(({ by }) => by.kind !== 'daemon')
  }

  /** What the store’s own inspection finds wrong. */
  async findings(): Promise<string[]> {
    return (await this.#ask<{ findings: string[] }>('store.check', {})).findings
  }

  /** Takes away what calls have made, so that it does not pile up, and makes a little of each kind. */
  async setStage(): Promise<void> {
    this.forget()
    await this.#delete('token', 'tokenid')
    this.forget()
    await this.#delete('user', 'userid')
    const configurations = await this.#ask<{ name: string }[]>('jwt.list', {})
    for (const { name } of configurations) await this.#ask('jwt.delete', { names: [name] })
    const secret = 'a secret of more than thirty-two bytes, for tests'
    await this.#ask('jwt.configure', { name: 'AI', secret, enable: '1', self_service: '1' })
    for (let at = 0; at < USERS; at++) await this.#makeUser()
    for (let at = 0; at < TOKENS; at++) await mint(this.#daemon, { ttl: 60, name: `stage ${at}` })
    for (const who of ['superadmin', 'user'] as const) await this.token(who)
    this.told.token = await mint(this.#daemon)
    this.remember(await this.#ask('jwt.personal.issue', { name: 'AI' }))
    this.ids = { tokens: await this.#list('token', 'tokenid'), users: await this.#list('user', 'userid') }
  }

  async #list(api: 'token' | 'user', id: string): Promise<string[]> {
    const rows = await this.#ask<Record<string, string>[]>(`${api}.get`, { output: [id] })
    return rows.map((row) => row[id] as string)
  }

  async #delete(api: 'token' | 'user', id: string): Promise<void> {
    const all = (await this.#list(api, id)).filter((one) => api === 'token' || one !== '1')
    for (let at = 0; at < all.length; at += CHUNK) {
      const token = await mint(this.#daemon)
      await call(this.#daemon, `${api}.delete`, all.slice(at, at + CHUNK), { token })
    }
  }
}
