/** The token that calls are made with: given once, or kept in a file that somebody else may write anew. */
export class Credential {
  /** Undefined: the token was given, or there is none. */
  readonly #file: string | undefined
  #token: string | undefined
  #read: Promise<void> | undefined

  /** Throws TypeError for both, and for a file where there are none. */
  constructor(token: string | undefined, file: string | undefined) {
    if (token !== undefined && file !== undefined)
      throw new TypeError('give the token or the file that it is in, not both')
    if (file !== undefined && !isNode()) throw new TypeError('there are no files here: give the token itself')
    this.#token = token
    this.#file = file
  }

  /** Whether another token may be there the next time. */
  get mayChange(): boolean {
    return this.#file !== undefined
  }

  /** Throws what reading the file throws, the first time. */
  async current(): Promise<string | undefined> {
    if (this.#file !== undefined && this.#token === undefined) await this.#reread()
    return this.#token
  }

  /** After a refusal of `used`: reads the file again, and says whether there is another token now. */
  async renew(used: string | undefined): Promise<boolean> {
    // A file that is not there at the moment is about to be: the old token stays until then.
    if (this.#token === used && this.#file !== undefined) await this.#reread().catch(() => {})
    return this.#token !== undefined && this.#token !== used
  }

  /** One reading serves all who wait for it. */
  #reread(): Promise<void> {
    this.#read ??= this.#load().finally(() => {
      this.#read = undefined
    })
    return this.#read
  }

  async #load(): Promise<void> {
    const { readFile } = process.getBuiltinModule('node:fs/promises')
    const token = (await readFile(this.#file as string, 'utf8')).trim()
    if (token === '') throw new Error(`there is no token in ${this.#file}`)
    this.#token = token
  }
}

/** Whether this is Node, and not a browser. */
export function isNode(): boolean {
  return (
    typeof process === 'object' &&
    typeof process.versions?.node === 'string' &&
    typeof process.getBuiltinModule === 'function'
  )
}
