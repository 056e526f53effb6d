/**
 * What a load was told about each token: a line for each, which a name leads to (a token that replaces another under its
 * name goes on in the same line). What was sent and not answered may or may not have happened, so a line knows every
 * state that its token may be in; the verdict after a cut narrows it down to the one that was found.
 */
export class Ledger {
  readonly #lines: Line[] = []
  /** Changes that were acknowledged, and those that nobody knows of. */
  acknowledged = 0
  unknown = 0
  /** So that names are never used twice. */
  #names = 0

  get lines(): readonly Line[] {
    return this.#lines
  }

  newName(): string {
    return `name-${++this.#names}`
  }

  /** A token that is about to be. */
  open(): Line {
    const line = new Line(this)
    this.#lines.push(line)
    return line
  }

  /** One that can be changed: its state is known, and nobody is changing it. */
  anyTarget(): Line | undefined {
    const targets = this.#lines.filter((line) => !line.busy && line.known?.id !== undefined)
    return targets[Math.floor(Math.random() * targets.length)]
  }

  get living(): number {
    return this.#lines.filter(({ known }) => known !== undefined).length
  }

  forget(line: Line): void {
    this.#lines.splice(this.#lines.indexOf(line), 1)
  }

  /** Drops the oldest lines that have ended, and were found so: looking for all of them would take longer and longer. */
  forgetEnded(most: number): void {
    const ended = this.#lines.filter(({ possible }) => possible.length === 1 && possible[0] === undefined)
    const forgotten = new Set(ended.slice(0, Math.max(0, ended.length - most)))
    this.#lines.splice(0, Infinity, ...this.#lines.filter((line) => !forgotten.has(line)))
  }
}

/** A token as one may find it. Undefined members: nobody was told. */
export interface State {
  readonly id: string | undefined
  readonly name: string | undefined
  /** Null: none was made yet. */
  readonly secret: string | null | undefined
  readonly enabled: boolean
  /** Somebody else than Admin. */
  readonly owner?: { readonly id: string; readonly enabled: boolean }
}

/** What became of a request: `refused` has certainly not happened. */
export type Answer<T> = { readonly result: T } | 'refused' | 'unknown'

export class Line {
  readonly #ledger: Ledger
  #possible: readonly (State | undefined)[] = [undefined]
  /** Every name and secret that it ever had: what it has no more must be gone. */
  readonly names = new Set<string>()
  readonly secrets = new Set<string>()
  busy = false

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** Undefined: there is no such token, or it was revoked. */
  get possible(): readonly (State | undefined)[] {
    return this.#possible
  }

  set possible(states: readonly (State | undefined)[]) {
    this.#possible = states
    for (const state of states) {
      if (state?.name !== undefined) this.names.add(state.name)
      if (typeof state?.secret === 'string') this.secrets.add(state.secret)
    }
  }

  get known(): State | undefined {
    return this.#possible.length === 1 ? this.#possible[0] : undefined
  }

  /** Asks for a change. `effect`: what it leads to, told the answer or, as far as one can know, without it. Returns whether it was acknowledged. */
  async change<T>(
    effect: (result: T | undefined) => State | undefined,
    ask: () => Promise<Answer<T>>,
  ): Promise<boolean> {
    const before = this.known
    this.busy = true
    this.possible = [before, effect(undefined)]
    const answer = await ask()
    this.busy = false
    if (answer === 'unknown') this.#ledger.unknown++
    else if (answer === 'refused') this.#possible = [before]
    else {
      this.possible = [effect(answer.result)]
      this.#ledger.acknowledged++
    }
    return typeof answer === 'object'
  }
}
