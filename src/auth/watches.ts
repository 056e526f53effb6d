import { Failure } from '../protocol/failures.ts'
import type { Feed, Store } from '../store/store.ts'
import type { ChainedLine } from './audit-chain.ts'
import type { AuditLog } from './audit-log.ts'
import type { Outlet, TokenCaller } from './caller.ts'

/** What a line of the audit log is to a watcher. Lines that are not here are not for watchers. */
const EVENTS: Readonly<Record<string, string>> = {
  'token.mint': 'created',
  'token.create': 'created',
  'token.generate': 'generated',
  'token.rotate': 'rotated',
  'token.update': 'updated',
  'token.revoke': 'revoked',
  'token.delete': 'deleted',
  'token.sweep': 'swept',
  'token.expire': 'expired',
  'token.rest': 'rested',
  'token.use_up': 'used_up',
  'token.ending': 'ending',
  'token.late_use': 'late_use',
  'user.create': 'user_created',
  'user.update': 'user_updated',
  'user.delete': 'user_deleted',
}

/** Lines read at a time, and watches on one connection. */
const PAGE = 50
const MOST_ON_ONE = 16
/** Each of them reads what is appended: so many of one user, and of all. */
const MOST_OF_ONE_USER = 64
const MOST = 1_000

/**
 * Streams of what happens to tokens. A watch is a place in the audit log that moves on: its numbers are the log's, so that
 * a consumer resumes where it was, also after a restart; and what was cut from the log in between is said, not hidden.
 */
export class Watches implements Feed {
  readonly #audit: AuditLog
  readonly #store: Store
  readonly #open = new Set<News>()
  readonly #counts = new WeakMap<Outlet, number>()
  readonly #ofUsers = new Map<string, number>()

  constructor(audit: AuditLog, store: Store) {
    this.#audit = audit
    this.#store = store
    store.subscribe(this)
  }

  signal(): void {}

  appended(): void {
    for (const news of this.#open) news.come()
  }

  /** There may be lines that nobody was told of. */
  reset(): void {
    this.appended()
  }

  /**
   * `after`: the number of the last event that is known already; undefined: what happens from now on. Returns it. Throws
   * `conflict` for a number that was never given, `limited`, `invalid_request` where there is no conversation.
   */
  async begin(after: number | undefined, caller: TokenCaller): Promise<number> {
    const { outlet } = caller
    if (outlet === undefined)
      throw new Failure(
        'invalid_request',
        'Watch over a WebSocket, or newline-delimited JSON on the Unix socket.',
      )
    const { appended } = await this.#audit.head()
    const start = after ?? appended
    if (start > appended)
      throw new Failure(
        'conflict',
        `There is no event ${start}: the newest is ${appended}. Watch from there.`,
      )
    const news = this.#admit(caller.user.id, outlet)
    setImmediate(() => void this.#run(start, caller, outlet, news)) // behind the answer to the call itself
    return start
  }

  #admit(user: string, outlet: Outlet): News {
    const onOne = this.#counts.get(outlet) ?? 0
    const ofUser = this.#ofUsers.get(user) ?? 0
    if (onOne >= MOST_ON_ONE || ofUser >= MOST_OF_ONE_USER || this.#open.size >= MOST) {
      throw new Failure(
        'limited',
        `There are too many watches: ${MOST_ON_ONE} on a connection, ${MOST_OF_ONE_USER} of a user. End one.`,
      )
    }
    this.#counts.set(outlet, onOne + 1)
    this.#ofUsers.set(user, ofUser + 1)
    const news = new News(() => {
      this.#open.delete(news)
      const left = (this.#ofUsers.get(user) ?? 1) - 1
      if (left === 0) this.#ofUsers.delete(user)
      else this.#ofUsers.set(user, left)
    })
    this.#open.add(news)
    outlet.onClose(() => news.end())
    return news
  }

  async #run(start: number, caller: TokenCaller, outlet: Outlet, news: News): Promise<void> {
    let last = start
    try {
      while (!news.over) {
        const lines = await this.#audit.chain(last, PAGE)
        for (const line of lines) {
          const told = [...gapBefore(line, last), ...eventIn(line, caller)]
          last = line.seq
          this.#store.refresh() // whose right to watch has ended is told nothing that came after
          for (const params of told) if (!(await outlet.send(notification(params)))) return
        }
        if (lines.length === 0) await news.wait()
      }
    } catch {
      outlet.end('the events cannot be read')
    } finally {
      news.end()
    }
  }
}

/** Whether something was committed since the last look. */
class News {
  over = false
  #fresh = false
  #wake: () => void = () => {}
  readonly #onEnd: () => void

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd
  }

  come(): void {
    this.#fresh = true
    this.#wake()
  }

  async wait(): Promise<void> {
    if (!this.#fresh && !this.over)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    this.#fresh = false
  }

  end(): void {
    if (this.over) return
    this.over = true
    this.#onEnd()
    this.#wake()
  }
}

function notification(params: object): string {
  return JSON.stringify({ jsonrpc: '2.0', method: 'token.watch', params })
}

/** Lines are numbered without holes: where one is, retention has cut them. */
function gapBefore({ seq }: ChainedLine, last: number): object[] {
  return seq === last + 1 ? [] : [{ event: 'gap', from: last + 1, to: seq - 1 }]
}

/** Superadmins see everything; others what is about them and their tokens. */
function eventIn({ seq, line }: ChainedLine, { user }: TokenCaller): object[] {
  const { event, at, token, name, username, user: owner, why, address, expires } = JSON.parse(line)
  const known = EVENTS[event]
  if (known === undefined || (user.type !== 'superadmin' && owner !== user.id)) return []
  const seconds = typeof expires === 'number' ? expires / 1000 : expires
  return [
    {
      number: seq,
      event: known,
      at: at / 1000,
      tokenid: token,
      name: name ?? username,
      userid: owner,
      why,
      address,
      expires: seconds,
    },
  ]
}
