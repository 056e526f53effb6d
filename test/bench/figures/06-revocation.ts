import { setTimeout } from 'node:timers/promises'
import { temporaryDirectory } from '../../support/daemon.ts'
import { Address } from '../../support/remote.ts'
import { mint } from '../../support/talk.ts'
import { doorsOf } from '../doors.ts'
import type { Bench, Figure, Row } from '../figure.ts'
import { startMeasuredDaemon } from '../measured-daemon.ts'
import { openConnections } from '../open-connections.ts'
import { spreadOf } from '../paired.ts'
import { type Gate, revoke, revokeUnderWatch } from '../revoking.ts'

const ROUNDS = 8
const CONNECTIONS = 1_000
/** Connections that are still open then are told as closed then. */
const PATIENCE_MS = 5_000

const ACCEPTED = 'accepted calls begun after the acknowledgement, all doors'
const CLOSED = `acknowledgement to the close of ${CONNECTIONS} connections`

const figure: Figure = {
  number: 6,
  name: 'Revocation: from its acknowledgement to its effect',
  targets: { [ACCEPTED]: { atMost: 0 }, [CLOSED]: { atMost: 100 } },
  async run(bench) {
    const { scope } = bench
    const remote = new Address()
    const config = `[[remote]]\nlisten = "${remote}"\n`
    const daemon = await startMeasuredDaemon(scope, { directory: temporaryDirectory(scope), config })
    const admin = await mint(daemon)
    const doors = doorsOf(scope, daemon, { remote, other: admin })
    const gate: Gate = { daemon, admin, doors }
    const { rounds } = bench.rounds(ROUNDS)
    return [...(await refusals(gate, rounds)), await closings(bench, gate, rounds)]
  },
}
export default figure

async function refusals(gate: Gate, rounds: number): Promise<Row[]> {
  const times = new Map(Object.keys(gate.doors).map((name) => [name, [] as number[]]))
  let accepted = 0
  for (let round = 0; round < rounds; round++) {
    const watches = await revokeUnderWatch(gate)
    for (const [name, watch] of watches) {
      accepted += watch.accepted
      if (watch.refusedAfter !== undefined) times.get(name)?.push(watch.refusedAfter)
    }
  }
  const told = [...times].map(([door, values]): Row => {
    const name = `acknowledgement to refusal: ${door}`
    return values.length === 0
      ? { name, omitted: 'was never refused' }
      : { name, unit: 'ms', value: spreadOf(values) }
  })
  return [{ name: ACCEPTED, unit: 'calls', value: spreadOf([accepted]) }, ...told]
}

async function closings(bench: Bench, gate: Gate, rounds: number): Promise<Row> {
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const token = await mint(gate.daemon)
    const { allClosed, drop } = await openConnections(bench.scope, gate.daemon, token, CONNECTIONS)
    const acknowledged = await revoke(gate, token)
    const late = setTimeout(PATIENCE_MS, acknowledged + PATIENCE_MS, { ref: false })
    times.push(Math.max(0, (await Promise.race([allClosed, late])) - acknowledged))
    drop()
  }
  return { name: CLOSED, unit: 'ms', value: spreadOf(times) }
}
