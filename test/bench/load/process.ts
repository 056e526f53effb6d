import { Lane } from './lane.ts'
import type { Burst, LanePlan, Order, Report } from './plan.ts'
import { Ring } from './ring.ts'

/** The process that makes the load: takes orders over its channel, one after the other, and ends with it. */
const lanes = new Map<number, Lane>()
/** Whoever is asked the same shares the bytes. */
const rings = new Map<string, Ring>()

async function obey(order: Order): Promise<Burst | undefined> {
  if (order.kind === 'open') {
    const lane = new Lane(order.plan, ringOf(order.plan))
    lanes.set(order.lane, lane)
    await lane.open()
    return undefined
  }
  const lane = lanes.get(order.lane)
  if (lane === undefined) throw new Error('no such lane')
  if (order.kind === 'burst') return lane.burst(order.milliseconds)
  if (order.kind === 'paced') return lane.paced(order.milliseconds, order.rate)
  lane.close()
  lanes.delete(order.lane)
  return undefined
}

function ringOf({ request }: LanePlan): Ring {
  const key = JSON.stringify(request)
  const ring = rings.get(key) ?? new Ring(request)
  rings.set(key, ring)
  return ring
}

process.on('message', async ({ number, order }: { number: number; order: Order }) => {
  const report = await obey(order).then(
    (burst): Report => ({ number, ...(burst !== undefined && { burst }) }),
    (error): Report => ({ number, error: String((error as Error).message) }),
  )
  process.send?.(report)
})
process.on('disconnect', () => process.exit())
