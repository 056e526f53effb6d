/** The dead that are looked at again, and complaints that are kept. */
const MOST_DEAD = 500
const MOST_COMPLAINTS = 20

/** A token as it must be answered, by this host's clock: in between, while a change is under way, either is right. */
export class Known {
  secret: string
  readonly tokenid: string
  /** What was begun before this moment, in milliseconds, and answered by then, is accepted. */
  livesUntil = Number.POSITIVE_INFINITY
  /** What is begun from this moment on is refused. */
  deadFrom = Number.POSITIVE_INFINITY

  constructor(secret: string, tokenid: string) {
    this.secret = secret
    this.tokenid = tokenid
  }

  /** Does what ends it, and is acknowledged. */
  async end<T>(change: () => Promise<T>): Promise<T> {
    this.livesUntil = 0
    const result = await change()
    this.deadFrom = Date.now()
    return result
  }

  /** Does what makes it live again. */
  async revive<T>(change: () => Promise<T>): Promise<T> {
    this.deadFrom = Number.POSITIVE_INFINITY
    const result = await change()
    this.livesUntil = Number.POSITIVE_INFINITY
    return result
  }

  /** Another who has the secret from now on, when this one has ended or goes on for a while. */
  successor(secret: string): Known {
    return new Known(secret, this.tokenid)
  }
}

/** What all workers know: which tokens live, which are dead, what was done how often, and what was not as it should be. */
export class Register {
  readonly living: Known[] = []
  readonly dead: Known[] = []
  readonly done = new Map<string, number>()
  readonly complaints: string[] = []
  complaintCount = 0
  #buried = 0

  count(what: string): void {
    this.done.set(what, (this.done.get(what) ?? 0) + 1)
  }

  complain(what: string): void {
    this.complaintCount++
    if (this.complaints.length < MOST_COMPLAINTS) this.complaints.push(what)
  }

  bury(known: Known): void {
    this.dead[this.#buried++ % MOST_DEAD] = known
  }

  anyDead(): Known | undefined {
    return any(this.dead)
  }

  anyLiving(): Known | undefined {
    return any(this.living)
  }
}

export function any<T>(choices: readonly T[]): T | undefined {
  return choices[Math.floor(Math.random() * choices.length)]
}
