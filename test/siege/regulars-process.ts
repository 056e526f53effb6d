import { setTimeout as pause } from 'node:timers/promises'
import { percentile } from '../support/order.ts'
import { Regular } from './regular.ts'
import { IN_TIME_MS, REGULARS, type Service, type Wish } from './regulars.ts'

const TICK_MS = 2
const MOST_WRONG = 5

let regulars: Regular[] = []

process.on('disconnect', () => process.exit())
process.on('message', async (wish: Wish) => {
  if (wish.kind === 'open') {
    const { table } = wish
    const places = [{ port: table.port, host: '127.0.0.1', noDelay: true }, { path: table.socket }] as const
    regulars = Array.from({ length: REGULARS }, (_, n) => new Regular(places[n % 2 === 0 ? 0 : 1], table))
  }
  process.send?.(await serve(wish))
})

async function serve(wish: Wish): Promise<Service> {
  if (wish.kind === 'open') return summary(0, 0, [])
  const { ms, patienceMs } = wish
  const begun = performance.now()
  const deadline = begun + ms + patienceMs
  const times: number[] = []
  const calls =
    wish.kind === 'paced' ? await pace(begun, deadline, wish, times) : await loop(begun, ms, times)
  while (regulars.some(({ busy }) => busy) && performance.now() < deadline) await pause(TICK_MS)
  for (const regular of regulars) if (regular.busy) regular.giveUp()
  while (times.length < calls) times.push(patienceMs)
  return summary(calls, ms, times)
}

/** Calls that are due while everybody waits are made late, and count from when they were due. */
async function pace(
  begun: number,
  deadline: number,
  { ms, rate }: { ms: number; rate: number },
  times: number[],
): Promise<number> {
  const calls = Math.round((ms / 1000) * rate)
  for (let made = 0; made < calls && performance.now() < deadline; await pause(TICK_MS)) {
    for (const regular of regulars) {
      const due = begun + (made / rate) * 1000
      if (made === calls || due > performance.now()) break
      if (regular.busy) continue
      made++
      regular.ask(() => times.push(performance.now() - due))
    }
  }
  return calls
}

/** Each asks at least once. */
async function loop(begun: number, ms: number, times: number[]): Promise<number> {
  let made = 0
  const ask = (regular: Regular) => {
    const asked = performance.now()
    made++
    regular.ask(() => {
      const now = performance.now()
      times.push(now - asked)
      if (now <= begun + ms) ask(regular)
    })
  }
  for (const regular of regulars) ask(regular)
  await pause(ms)
  return made
}

function summary(calls: number, ms: number, times: readonly number[]): Service {
  const wrong = regulars.flatMap((regular) => regular.wrong.splice(0))
  const answered = regulars.reduce((sum, regular) => sum + regular.takeAnswered(), 0)
  return {
    calls,
    answered,
    inTime: times.filter((time) => time <= IN_TIME_MS).length,
    wrong: wrong.slice(0, MOST_WRONG),
    rate: (answered / ms) * 1000,
    p50: percentile(times, 50),
    p99: percentile(times, 99),
  }
}
