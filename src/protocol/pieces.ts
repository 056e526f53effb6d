/** Before they are joined: each takes hundreds of bytes beside those that it holds. */
const MOST_LOOSE = 256

/** Bytes as they arrive. In the smallest pieces, too, they take little more memory than they are long. */
export class Pieces {
  #pieces: Buffer[] = []
  /** Of the pieces, those in front that are joined ones. */
  #joined = 0
  #size = 0

  /** Bytes. */
  get size(): number {
    return this.#size
  }

  add(piece: Buffer): void {
    const pieces = this.#pieces
    pieces.push(piece)
    this.#size += piece.length
    if (pieces.length - this.#joined >= MOST_LOOSE) pieces.push(Buffer.concat(pieces.splice(this.#joined++)))
  }

  /** All of them as one, and begins anew. */
  take(): Buffer {
    const pieces = this.#pieces
    const whole = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)
    this.clear()
    return whole
  }

  clear(): void {
    this.#pieces = []
    this.#joined = 0
    this.#size = 0
  }
}
