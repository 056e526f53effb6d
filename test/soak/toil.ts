import { setTimeout as pause } from 'node:timers/promises'
import {
  type Deed,
  expiring,
  type Hand,
  managed,
  managedByZabbix,
  mintedAndRevoked,
  owned,
  remembered,
  rotated,
  usedOnce,
} from './careers.ts'
import { any } from './register.ts'
import { batched, dropped, overreached, read, watched, webSocketLife } from './visits.ts'

/** What there is to do, and how often beside the rest. */
const DEEDS: readonly (readonly [deed: Deed, weight: number])[] = [
  [remembered, 12],
  [mintedAndRevoked, 4],
  [dropped, 4],
  [read, 4],
  [managed, 2],
  [managedByZabbix, 2],
  [webSocketLife, 2],
  [watched, 2],
  [usedOnce, 2],
  [batched, 2],
  [expiring, 1],
  [rotated, 1],
  [owned, 1],
  [overreached, 1],
]

const LOTTERY = DEEDS.flatMap(([deed, weight]) => Array<Deed>(weight).fill(deed))
/** The longest rest between two deeds, in milliseconds: the daemon is not to be at its limit. */
const REST_MS = 60

/** Every kind of deed. */
export const KINDS = DEEDS.map(([{ name }]) => name)

/** Does this and that until it is told to stop. */
export async function toil(hand: Hand, going: () => boolean): Promise<void> {
  const { register } = hand
  while (going()) {
    const deed = any(LOTTERY) as Deed
    try {
      await deed(hand)
      register.count(deed.name)
    } catch (error) {
      register.complain(`${deed.name}: ${(error as Error).message}`)
    }
    await pause(Math.random() * REST_MS)
  }
}
