import { Command } from 'commander'
import { AuditKey } from '../auth/audit-chain.ts'
import { AUDIT_KEY_PURPOSE } from '../auth/auditor.ts'
import { Inspection } from '../auth/inspection.ts'
import { Pepper } from '../auth/secret.ts'
import { type CheckReport, report } from '../methods/store.ts'
import { Complaint } from '../protocol/complaint.ts'
import type { StateDirectory } from '../store/directory.ts'
import type { Step } from '../store/store.ts'
import { eitherWay } from './either-way.ts'
import { placesOf, type StateOption } from './offline.ts'
import { type SessionOptions, withSession } from './session.ts'
import { print, printJson, wantsJson } from './terminal.ts'

/** Steps of one repairing commit. */
const CHUNK = 500

type CheckOptions = SessionOptions & StateOption & { repair?: boolean }

export function checkCommand(): Command {
  return withSession(new Command('check'))
    .description(
      'Look at every record, index and line of the audit log, of a running daemon or a stopped one.',
    )
    .option('--state-dir <dir>', 'of a stopped daemon')
    .option('--repair', 'of a stopped daemon: make indexes anew from the records')
    .action(check)
}

async function check(options: CheckOptions): Promise<void> {
  const places = placesOf(options)
  const found = await eitherWay(options, places, 'postern check', {
    running: (call) => {
      if (options.repair === true)
        throw new Complaint('the daemon is running', 'stop it first, and then repair')
      return call('store.check', {})
    },
    stopped: async (state) => {
      const repaired = options.repair === true ? await repair(state, inspectionOf(state)) : 0
      if (repaired > 0 && !wantsJson(options)) print(`Repaired: ${repaired}.`)
      return report(inspectionOf(state))
    },
  })
  show(found as CheckReport, options)
}

function inspectionOf({ store, pepper }: StateDirectory): Inspection {
  const { publicKey } = new AuditKey(Pepper.derive(pepper, AUDIT_KEY_PURPOSE))
  return new Inspection(store.snapshot(), publicKey)
}

/** What can be made anew is; the rest is for a backup. */
async function repair({ store }: StateDirectory, inspection: Inspection): Promise<number> {
  let steps: Step[] = []
  let repaired = 0
  const write = async () => {
    const byKey = new Map(steps.map((step) => [step.key, step]))
    const line = JSON.stringify({
      at: Date.now(),
      event: 'store.repair',
      by: { kind: 'daemon' },
      count: byKey.size,
    })
    await store.commit({ steps: [...byKey.values()], append: [line] })
    repaired += byKey.size
    steps = []
  }
  for await (const { repair: step } of inspection.findings()) {
    if (step !== undefined) steps.push(step)
    if (steps.length === CHUNK) await write()
  }
  if (steps.length > 0) await write()
  return repaired
}

function show(found: CheckReport, options: CheckOptions): void {
  const { looked, findings, count } = found
  if (wantsJson(options)) printJson(found)
  else {
    for (const finding of findings) print(finding)
    if (count > findings.length) print(`and ${count - findings.length} more`)
    print(`${looked.tokens} tokens, ${looked.users} users, ${looked.lines} lines of the audit log.`)
  }
  if (count === 0) return
  throw new Complaint(
    `${count} ${count === 1 ? 'thing is' : 'things are'} not as they should be`,
    'postern check --repair makes indexes anew (stop the daemon first); for the rest, restore a backup',
  )
}
