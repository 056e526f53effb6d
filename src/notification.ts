import { spawn } from 'node:child_process'
import type { Logger } from 'pino'
import { printable } from './announcement.ts'
import type { Ending, Endings } from './auth/endings.ts'
import type { Notify } from './config-tables.ts'
import { inWords } from './protocol/complaint.ts'

/** How long a command may take, and how many may wait for their turn: one runs at a time. */
const LONGEST_MS = 10_000
const MOST_WAITING = 1_000

interface Waiting {
  readonly command: readonly string[]
  readonly ending: Ending
}

/** Runs the commands of `[[notify]]`: an argument list, no shell. What it is about comes as further arguments, `name=value`. */
export class Notifications {
  readonly #log: Logger
  readonly #waiting: Waiting[] = []
  #running: Promise<void> | undefined

  constructor(log: Logger) {
    this.#log = log
  }

  tell(command: readonly string[], ending: Ending): void {
    if (command.length === 0) return
    if (this.#waiting.length >= MOST_WAITING) {
      const { id } = ending.record
      this.#log.warn({ event: 'notify', token: id }, `too many notifications wait: none for token ${id}`)
      return
    }
    this.#waiting.push({ command, ending })
    this.#running ??= this.#run()
  }

  async #run(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift())
      await this.#tellOne(next)
    this.#running = undefined
  }

  /** Resolves when the one that runs is over; the rest is dropped, and not told again: it is in the log. */
  async stop(): Promise<void> {
    this.#waiting.length = 0
    await this.#running
  }

  #tellOne({ command: [program = '', ...args], ending }: Waiting): Promise<void> {
    const { id } = ending.record
    return new Promise((resolve) => {
      const done = (what: string | undefined) => {
        if (what !== undefined)
          this.#log.warn({ event: 'notify', token: id, program }, `telling about token ${id}: ${what}`)
        resolve()
      }
      try {
        const options = { stdio: 'ignore', timeout: LONGEST_MS, killSignal: 'SIGKILL' } as const
        const child = spawn(program, [...args, ...facts(ending)], options)
        child.on('error', (error) => done(error.message))
        child.on('close', (code, signal) =>
          done(code === 0 ? undefined : `${program} ended with ${signal ?? code}`),
        )
      } catch (error) {
        done(inWords(error)) // most of what can be wrong with a program is thrown, not told
      }
    })
  }
}

/** Looking for tokens that end soon goes over all of them: now and then, and more often the later they are told of. */
const LOOKS = 100
const MOST_OFTEN_MS = 1_000
const LEAST_OFTEN_MS = 60_000

/** Tells of each token in time, as `[[notify]]` wants it. */
export class EndingAnnouncer {
  readonly #endings: Endings
  readonly #notifications: Notifications
  readonly #looked = new Map<number, number>()

  constructor(endings: Endings, notifications: Notifications) {
    this.#endings = endings
    this.#notifications = notifications
  }

  async look(wanted: readonly Notify[]): Promise<void> {
    for (const { before, command } of wanted) {
      const every = Math.min(Math.max(before / LOOKS, MOST_OFTEN_MS), LEAST_OFTEN_MS)
      const now = performance.now()
      if (now - (this.#looked.get(before) ?? Number.NEGATIVE_INFINITY) < every * 0.9) continue
      this.#looked.set(before, now)
      await this.#endings.tellEnding(before, (ending) => this.#notifications.tell(command, ending))
    }
  }
}

/** Each with its name in front, so that none can be taken for an option. Times in RFC 3339. */
function facts({ record, expires, lastAccess }: Ending): string[] {
  const lastUse = lastAccess === undefined ? 'never' : new Date(lastAccess).toISOString()
  const facts = {
    id: record.id,
    name: printable(record.name),
    user: record.user,
    expires: new Date(expires).toISOString(),
    last_use: lastUse,
  }
  return Object.entries(facts).map(([name, value]) => `${name}=${value}`)
}
