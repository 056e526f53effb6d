import { Failure } from '../protocol/failures.ts'
import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import type { Admission } from './admission.ts'
import type { TokenCaller } from './caller.ts'
import { grounded } from './ground.ts'
import { charge, holderOf } from './holder.ts'
import { changeHeld, hold } from './holding.ts'
import type { Ledger } from './ledger.ts'
import type { TokenRecord } from './records.ts'
import { mintHexSecret, type Pepper, type Secret } from './secret.ts'
import { gains, refuseExcess } from './token-change.ts'
import type { Users } from './users.ts'

interface Parts {
  readonly store: Store
  readonly ledger: Ledger
  readonly clock: Clock
  readonly pepper: Pepper
  readonly users: Users
  readonly admission: Admission
}

/** How new secrets are made and told; `begin`: for each attempt. */
interface Renewal<T> {
  readonly begin: () => void
  readonly renew: (record: TokenRecord) => TokenRecord
  readonly answer: () => T
  readonly details?: object
}

/** New secrets for tokens that are there: generated, or rotated with a grace for the old one. */
export class TokenRenewal {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** A new secret for each; the old one is dead from the same commit on. In the order of the request. */
  generate(ids: readonly string[], caller: TokenCaller): Promise<{ tokenid: string; token: string }[]> {
    const made: { tokenid: string; secret: Secret }[] = []
    return this.#renew(ids, caller, 'token.generate', {
      begin: () => made.splice(0),
      renew: ({ retiring: _, ...record }) => {
        const secret = mintHexSecret()
        made.push({ tokenid: record.id, secret })
        return { ...record, creator: caller.user.id, hashes: [this.#parts.pepper.hash(secret.reveal())] }
      },
      answer: () => made.map(({ tokenid, secret }) => ({ tokenid, token: secret.reveal() })),
    })
  }

  /** A new secret; the old one is accepted for `grace` seconds more, or until this is called once more. */
  rotate(id: string, grace: number, caller: TokenCaller): Promise<{ tokenid: string; token: string }> {
    const secret = mintHexSecret()
    const fresh = this.#parts.pepper.hash(secret.reveal())
    return this.#renew([id], caller, 'token.rotate', {
      begin: () => {},
      renew: ({ retiring, ...record }) => {
        const old = record.hashes.find((hash) => hash !== retiring?.hash)
        if (old === undefined) return { ...record, hashes: [fresh] }
        const until = this.#parts.clock.now() + grace * 1000
        return { ...record, hashes: [fresh, old], retiring: { hash: old, until } }
      },
      answer: () => ({ tokenid: id, token: secret.reveal() }),
      details: { grace },
    })
  }

  /** Whoever gets a token's secret has all that it may, and that many uses less of their own; a token that renews itself gains nothing. */
  #renew<T>(
    ids: readonly string[],
    caller: TokenCaller,
    event: 'token.generate' | 'token.rotate',
    { begin, renew, answer, details = {} }: Renewal<T>,
  ): Promise<T> {
    return this.#parts.ledger.decide(async () => {
      begin()
      const by = await holderOf(caller, this.#parts)
      const held = await hold(this.#parts.store, ids, caller)
      let uses = 0
      for (const { record } of held) {
        if (record.id === by.record.id) {
          if (by.retiring)
            throw new Failure('forbidden', 'This secret has a successor, which renews the token.')
          continue
        }
        const remaining = await this.#parts.admission.remainingOf(record)
        refuseExcess(gains(record, remaining), by)
        uses += remaining ?? 0
      }
      const renewed = this.#parts.clock.now()
      const update = (record: TokenRecord) => ({ ...renew(record), renewed })
      const decision = changeHeld(held, caller, event, update, () => details)
      const steps = grounded([...decision.steps, ...charge(by, uses)], by.ground)
      return (await this.#parts.ledger.commit({ ...decision, steps })) ? answer() : undefined
    })
  }
}
