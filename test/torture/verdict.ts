import type { Daemon } from '../support/daemon.ts'
import { Client } from './client.ts'
import type { Ledger, Line, State } from './ledger.ts'

/** Questions at a time. */
const AT_ONCE = 32

interface Row {
  readonly tokenid: string
  readonly name: string
  readonly status: string
  readonly userid: string
}

/** What the daemon says about everything. */
interface Answers {
  readonly rows: ReadonlyMap<string, Row>
  readonly users: ReadonlyMap<string, { readonly status: string }>
}

/** What the daemon says about one line. */
interface Seen {
  /** The objects that bear one of its names. */
  readonly rows: readonly Row[]
  /** Its secrets that are accepted. */
  readonly alive: readonly { readonly secret: string; readonly tokenid: string; readonly name: string }[]
}

/**
 * Holds a running daemon against what was acknowledged, and names each line that is in none of its possible states: an
 * acknowledged change that is lost, a dead secret that is accepted, a change that is half there. What fits what was
 * found is all that is possible from then on.
 */
export async function judge(daemon: Daemon, ledger: Ledger): Promise<string[]> {
  const client = await Client.open(daemon)
  const answers = await ask(client)
  const losses: string[] = []
  const lines = [...ledger.lines]
  const work = Array.from({ length: AT_ONCE }, async () => {
    for (let line = lines.pop(); line !== undefined; line = lines.pop()) {
      const seen = await look(client, line, answers)
      const found = line.possible.filter((state) => fits(state, seen, answers))
      if (found.length === 0) {
        losses.push(inWords(line, seen, answers))
        ledger.forget(line)
      }
      // More than one: of a secret that nobody was told, nobody can say whether it is that of a disabled token.
      line.possible = found.map((state) => state && learned(state, seen))
    }
  })
  await Promise.all(work)
  client.close()
  return losses
}

async function ask(client: Client): Promise<Answers> {
  const get = async <T>(method: string, output: string[]) => {
    const { result, error } = await client.ask(method, { output })
    if (error !== undefined) throw new Error(JSON.stringify(error))
    return result as T[]
  }
  const rows = await get<Row>('token.get', ['tokenid', 'name', 'status', 'userid'])
  const users = await get<{ userid: string; status: string }>('user.get', ['userid', 'status'])
  return {
    rows: new Map(rows.map((row) => [row.name, row])),
    users: new Map(users.map((user) => [user.userid, user])),
  }
}

async function look(client: Client, { names, secrets }: Line, { rows }: Answers): Promise<Seen> {
  const alive: Seen['alive'][number][] = []
  for (const secret of secrets) {
    const { result, error } = await client.ask('Auth.WhoAmI', undefined, secret)
    if (error === undefined) alive.push({ secret, ...(result as { tokenid: string; name: string }) })
    else if (error.code !== -32001) throw new Error(`neither accepted nor refused: ${JSON.stringify(error)}`)
  }
  return { rows: [...names].flatMap((name) => rows.get(name) ?? []), alive }
}

function fits(state: State | undefined, { rows, alive }: Seen, { users }: Answers): boolean {
  if (state === undefined) return rows.length === 0 && alive.length === 0
  const { id, name, secret, enabled, owner } = state
  if (owner !== undefined && users.get(owner.id)?.status !== (owner.enabled ? '0' : '1')) return false
  const [row] = rows
  if (name !== undefined) {
    if (rows.length !== 1 || row?.name !== name || row.status !== (enabled ? '0' : '1')) return false
    if (row.userid !== (owner?.id ?? '1') || (id ?? row.tokenid) !== row.tokenid) return false
  }
  const [who] = alive
  if (typeof secret !== 'string' || !enabled || owner?.enabled === false) return who === undefined
  if (alive.length !== 1 || who?.secret !== secret) return false
  return (id ?? who.tokenid) === who.tokenid && (name ?? who.name) === who.name
}

function learned(state: State, { rows, alive }: Seen): State {
  const found = rows[0] ?? alive[0]
  return { ...state, id: state.id ?? found?.tokenid, name: state.name ?? found?.name }
}

function inWords({ possible, names }: Line, { rows, alive }: Seen, { users }: Answers): string {
  const told = possible.map((state) => (state === undefined ? 'none' : JSON.stringify(state))).join(' or ')
  const owners = rows.map(({ userid }) => users.get(userid))
  return `${[...names].join(', ')}: ${told} was expected; found ${JSON.stringify({ rows, owners, alive })}`
}
