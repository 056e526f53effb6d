import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  AuditKey,
  type ChainedLine,
  ChainVerifier,
  type Checkpoint,
  type Cut,
} from '../../src/auth/audit-chain.ts'
import { CHAIN_START, chained } from '../../src/store/batch.ts'
import { holds } from '../support/property.ts'

const key = new AuditKey(randomBytes(32))
const by = { kind: 'daemon' }

/** A log under construction. */
class Log {
  readonly lines: ChainedLine[] = []

  get hash(): string {
    return this.lines.at(-1)?.hash ?? CHAIN_START
  }

  add(line: string): this {
    this.lines.push({ seq: this.lines.length + 1, hash: chained(this.hash, line), line })
    return this
  }

  event(details: object = {}): this {
    return this.add(JSON.stringify({ at: 1, event: 'token.mint', by, token: '1', ...details }))
  }

  /** Signs what there is and appends that; `late`: other lines come in between. */
  sign({ cut = null as Cut | null, with: signer = key, late = 0 } = {}): Checkpoint {
    const checkpoint = signer.sign(this.lines.length, this.hash, cut)
    for (let n = 0; n < late; n++) this.event({ late: n })
    this.add(JSON.stringify({ at: 1, event: 'audit.checkpoint', by, checkpoint }))
    return checkpoint
  }

  cutAt(through: number): Cut {
    return { through, hash: this.lines[through - 1]?.hash as string }
  }
}

function faults(
  lines: readonly ChainedLine[],
  kept?: Checkpoint,
  publicKey: string | undefined = key.publicKey,
) {
  const verifier = new ChainVerifier(publicKey, kept)
  for (const line of lines) verifier.add(line)
  return [...verifier.end()]
}

/** Chains lines anew, as somebody does who has understood how it works. */
function rechained(lines: readonly ChainedLine[]): ChainedLine[] {
  let hash = CHAIN_START
  return lines.map(({ line }, at) => {
    hash = chained(hash, line)
    return { seq: at + 1, hash, line }
  })
}

function assertNamed(found: readonly string[], number: number): void {
  const words = new RegExp(`(^|\\D)${number}(\\D|$)`)
  assert.ok(
    found.some((fault) => words.test(fault)),
    `line ${number} is not named in: ${found.join('; ')}`,
  )
}

/** A log of events with checkpoints among them, the last line being one. */
const logs = fc
  .array(fc.constantFrom('event', 'event', 'event', 'sign', 'late'), { minLength: 1, maxLength: 20 })
  .map((kinds) => {
    const log = new Log().event()
    for (const [at, kind] of kinds.entries()) {
      if (kind === 'event') log.event({ name: `n${at}` })
      else log.sign({ late: kind === 'late' ? 2 : 0 })
    }
    const kept = log.sign()
    return { lines: log.lines, kept }
  })

/** Any but the newest, which is the kept checkpoint's own: that one it does not vouch for. */
const anyLine = logs.chain(({ lines, kept }) =>
  fc.record({ lines: fc.constant(lines), kept: fc.constant(kept), at: fc.nat(lines.length - 2) }),
)

describe('a chain that nobody has touched', () => {
  it('has no faults, with and without a checkpoint that was kept, at any later time', async () => {
    await holds(
      fc.property(logs, ({ lines, kept }) => {
        assert.deepEqual(faults(lines), [])
        assert.deepEqual(faults(lines, kept), [])
      }),
      100,
    )
    assert.deepEqual(faults([]), [])
  })

  it('has none either where texts in it merely look like checkpoints', () => {
    const log = new Log().event({ name: 'audit.checkpoint', description: '"event":"audit.checkpoint"' })
    log.event({ event: 'token.update', checkpoint: 'audit.checkpoint' })
    log.event({
      checkpoint: { seq: 99, hash: 'audit.checkpoint', cut: { through: 1, hash: 'x' }, signature: '' },
    })
    log.add('audit.checkpoint')
    const kept = log.sign()
    assert.deepEqual(faults(log.lines, kept), [])
  })
})

describe('in a chain', () => {
  it('a line that was removed is named', async () => {
    await holds(
      fc.property(anyLine, ({ lines, kept, at }) => {
        assertNamed(faults(lines.toSpliced(at, 1), kept), at + 1)
      }),
      100,
    )
  })

  it('a line whose text was changed in any character is named', async () => {
    await holds(
      fc.property(
        anyLine,
        fc.nat(),
        fc.constantFrom('', 'x', '"', '}', '0'),
        ({ lines, kept, at }, n, by) => {
          const { line, ...rest } = lines[at] as ChainedLine
          const place = n % line.length
          const changed = line.slice(0, place) + by + line.slice(place + 1)
          fc.pre(changed !== line)
          assertNamed(faults(lines.with(at, { ...rest, line: changed }), kept), at + 1)
        },
      ),
      500,
    )
  })

  it('a line whose hash or number was changed is named', async () => {
    await holds(
      fc.property(anyLine, fc.integer({ min: 1, max: 40 }), ({ lines, kept, at }, seq) => {
        const line = lines[at] as ChainedLine
        assertNamed(faults(lines.with(at, { ...line, hash: chained('', 'x') }), kept), at + 1)
        fc.pre(seq !== line.seq)
        assertNamed(faults(lines.with(at, { ...line, seq }), kept), at + 1)
      }),
      100,
    )
  })

  it('lines that changed places are named', async () => {
    await holds(
      fc.property(anyLine, fc.nat(), ({ lines, kept, at }, n) => {
        const other = n % lines.length
        fc.pre(other !== at)
        const [a, b] = [lines[at] as ChainedLine, lines[other] as ChainedLine]
        const swapped = lines.with(at, b).with(other, a)
        assertNamed(faults(swapped, kept), Math.min(at, other) + 1)
        const [left, right] = [
          { ...b, seq: a.seq },
          { ...a, seq: b.seq },
        ]
        fc.pre(left.line !== right.line || left.hash !== right.hash)
        assertNamed(faults(lines.with(at, left).with(other, right), kept), Math.min(at, other) + 1)
      }),
      100,
    )
  })

  it('a line that was slipped in is named, or the one behind it', async () => {
    await holds(
      fc.property(anyLine, ({ lines, kept, at }) => {
        const before = lines[at - 1]?.hash ?? CHAIN_START
        const line = '{"at":1,"event":"token.mint","by":{"kind":"daemon"}}'
        const slipped = { seq: at + 1, hash: chained(before, line), line }
        assertNamed(faults(lines.toSpliced(at, 0, slipped), kept), at + 1)
      }),
      100,
    )
  })

  it('the newest lines are named when they are gone, against a checkpoint that was kept', async () => {
    await holds(
      fc.property(logs, fc.nat(), ({ lines, kept }, n) => {
        const left = 1 + (n % kept.seq) - 1
        const found = faults(lines.slice(0, left), kept)
        assertNamed(found, left + 1)
        assertNamed(found, kept.seq)
      }),
      100,
    )
  })

  it('a change is found by the checkpoints when everything behind it was chained anew', async () => {
    await holds(
      fc.property(anyLine, ({ lines, kept, at }) => {
        const { seq, hash } = lines[at] as ChainedLine
        const line = '{"at":1,"event":"token.mint","by":{"kind":"daemon"},"token":"forged"}'
        const forged = rechained(lines.with(at, { seq, hash, line }))
        fc.pre(at < kept.seq)
        assert.notDeepEqual(faults(forged, kept), [])
        const signedAgain = lines.slice(at + 1).some(({ line }) => line.includes('audit.checkpoint'))
        if (signedAgain) assert.notDeepEqual(faults(forged), [])
      }),
      100,
    )
  })

  it('a checkpoint that another key has signed, or none, is named', () => {
    const log = new Log().event()
    log.sign({ with: new AuditKey(randomBytes(32)) })
    assert.deepEqual(faults(log.lines), ['the checkpoint in line 2 is not signed with the right key'])
    const honest = new Log().event()
    const kept = honest.sign()
    for (const signature of ['', 'x', kept.signature.slice(0, -4), `${kept.signature}AA`]) {
      const found = faults(honest.lines, { ...kept, signature })
      assert.deepEqual(found, ['the checkpoint that was kept is not signed with the right key'])
    }
    assert.notDeepEqual(faults(honest.lines, undefined, new AuditKey(randomBytes(32)).publicKey), [])
  })

  it('what is no checkpoint under that name is named, and stops nothing', () => {
    for (const checkpoint of [null, 'x', {}, { seq: 'x' }, { seq: 1, hash: 'x', cut: 'y', signature: 7 }]) {
      const log = new Log().event().event({ event: 'audit.checkpoint', checkpoint })
      assertNamed(faults(log.lines), 2)
    }
  })
})

describe('a chain that was cut for its age', () => {
  /** Ten lines and a checkpoint, cut at the fourth, and as much again. */
  function cutLog() {
    const log = new Log()
    for (let n = 0; n < 4; n++) log.event({ n })
    log.sign()
    const before = log.sign()
    for (let n = 0; n < 4; n++) log.event({ n })
    const cut = log.cutAt(4)
    log.sign({ cut })
    log.event()
    return { log, cut, before, kept: log.lines.slice(4) }
  }

  it('has no faults when a checkpoint says so', () => {
    assert.deepEqual(faults(cutLog().kept), [])
  })

  it('has none while the lines that were said to be cut are being removed', () => {
    const { log } = cutLog()
    for (let gone = 0; gone <= 4; gone++)
      assert.deepEqual(faults(log.lines.slice(gone)), [], `${gone} are gone`)
  })

  it('has none against a checkpoint from before the cut, or between two cuts', () => {
    const { log, before, kept } = cutLog()
    assert.deepEqual(faults(kept, before), [])
    const between = log.sign({ cut: log.cutAt(4) })
    log.event()
    log.sign({ cut: log.cutAt(8) })
    assert.deepEqual(faults(log.lines.slice(8), between), [])
  })

  it('has none where a checkpoint was signed before the cut and written behind it', () => {
    const { log, kept } = cutLog()
    const late = key.sign(log.lines.length, log.hash, null)
    log.event()
    log.add(JSON.stringify({ at: 1, event: 'audit.checkpoint', by, checkpoint: late }))
    assert.deepEqual(faults([...kept, ...log.lines.slice(kept.length + 4)]), [])
  })

  it('is named where no checkpoint says so, or one that nobody signed, or one says less', () => {
    const { log } = cutLog()
    const forged = new Log()
    for (let n = 0; n < 9; n++) forged.event({ n })
    assert.match(faults(forged.lines.slice(4)).join(), /lines 1 to 4 are missing, and no checkpoint says/)
    const cut = forged.cutAt(4)
    forged.sign({ cut, with: new AuditKey(randomBytes(32)) })
    assert.match(faults(forged.lines.slice(4)).join(), /lines 1 to 4 are missing/)
    for (const gone of [5, 6, 7])
      assert.match(faults(log.lines.slice(gone)).join(), new RegExp(`to ${gone} are`))
  })

  it('is named where the first line that is left was changed', () => {
    const { kept } = cutLog()
    const [first, ...rest] = kept as [ChainedLine, ...ChainedLine[]]
    assert.notDeepEqual(faults([{ ...first, line: first.line.replace('at', 'xt') }, ...rest]), [])
    assert.notDeepEqual(faults([{ ...first, hash: 'x' }, ...rest]), [])
  })
})
