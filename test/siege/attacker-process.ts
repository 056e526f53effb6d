import type { Order, Report } from './attacker.ts'
import type { Effort } from './attacks/attack.ts'
import { ATTACKS } from './attacks/index.ts'

/** The attacker's process: one attack at a time, from an order to the next; ends with its channel. */
let end = () => {}
let effort: Effort = { connections: 0, bytes: 0 }
let cpu = process.cpuUsage()

process.on('message', async (order: Order) => {
  const report = await obey(order).catch((error): Report => ({ error: String((error as Error).stack) }))
  process.send?.(report)
})
process.on('disconnect', () => process.exit())

async function obey(order: Order): Promise<Report> {
  if ('end' in order) {
    end()
    const { user, system } = process.cpuUsage(cpu)
    return { effort: { ...effort, seconds: (user + system) / 1e6 } }
  }
  const attack = ATTACKS.find(({ name }) => name === order.begin)
  if (attack === undefined) throw new Error(`there is no attack ${order.begin}`)
  effort = { connections: 0, bytes: 0 }
  cpu = process.cpuUsage()
  end = await attack.begin(order.target, effort)
  return {}
}
