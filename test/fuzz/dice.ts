import { createCipheriv, createHash } from 'node:crypto'
import { SEED } from '../support/property.ts'

/** One case alone, as a failure names it. */
const ONLY = process.env.FUZZ_CASE
const BLOCK = 4096

/** Chances that fall the same way again for the same seed: the bytes of a stream cipher. */
export class Dice {
  readonly #cipher
  #bytes = Buffer.alloc(0)
  #at = 0

  constructor(seed: string) {
    const key = createHash('sha256').update(seed).digest()
    this.#cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  }

  /** From 0 up to, and without, `end`. */
  below(end: number): number {
    if (this.#at + 4 > this.#bytes.length) {
      this.#bytes = this.#cipher.update(Buffer.alloc(BLOCK))
      this.#at = 0
    }
    this.#at += 4
    return Math.floor((this.#bytes.readUInt32LE(this.#at - 4) / 2 ** 32) * end)
  }

  /** Both ends are among them. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  chance(probability: number): boolean {
    return this.below(1e6) < probability * 1e6
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)))
  }

  times<T>(count: number, make: (n: number) => T): T[] {
    return Array.from({ length: count }, (_, n) => make(n))
  }

  /** Somewhere cut into as many pieces, some of them empty. */
  cut(bytes: Buffer, pieces: number): Buffer[] {
    const places = this.times(pieces - 1, () => this.below(bytes.length + 1)).sort((a, b) => a - b)
    return [0, ...places].map((from, n) => bytes.subarray(from, places[n] ?? bytes.length))
  }
}

/** Tries so many cases, some side by side. What fails says how to have the very same case again. */
export async function tryCases(
  name: string,
  count: number,
  attempt: (dice: Dice, number: number) => Promise<void>,
  abreast = 8,
): Promise<void> {
  const numbers = ONLY === undefined ? Array.from({ length: count }, (_, n) => n) : [Number(ONLY)]
  const one = async (): Promise<void> => {
    for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
      try {
        await attempt(new Dice(`${SEED}/${name}/${number}`), number)
      } catch (cause) {
        numbers.length = 0
        const again = `FUZZ_SEED=${SEED} FUZZ_CASE=${number}`
        throw new Error(`${name}: ${(cause as Error).message}\nThe same again with ${again}`, { cause })
      }
    }
  }
  await Promise.all(Array.from({ length: abreast }, one))
}
