import type { Attack } from './attack.ts'
import { CROWDS } from './crowds.ts'
import { DEAF } from './deaf.ts'
import { FLOODS } from './floods.ts'
import { SLOW } from './slow.ts'

/** Milliseconds of work between two looks at the channel. */
const SHIFT_MS = 20

export const NEIGHBOUR = 'a busy neighbour'

/** No attack: somebody on this host uses a processor. What that costs has to be taken off what an attack costs. */
const BUSY: Attack = {
  name: NEIGHBOUR,
  plain: true,
  async begin() {
    let over = false
    const work = () => {
      const end = performance.now() + SHIFT_MS
      while (performance.now() < end);
      if (!over) setImmediate(work)
    }
    setImmediate(work)
    return () => {
      over = true
    }
  },
}

export const ATTACKS: readonly Attack[] = [BUSY, ...SLOW, ...CROWDS, ...DEAF, ...FLOODS]
