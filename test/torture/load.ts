import type { Daemon } from '../support/daemon.ts'
import { Client } from './client.ts'
import type { Ledger, Line, State } from './ledger.ts'

/** Living tokens above which more are ended than made. */
const ENOUGH = 600

export interface Load {
  /** One more change. Returns whether it was acknowledged. */
  tryOne(): Promise<boolean>
  /** Lets what was sent be answered, or fail. */
  stop(): Promise<void>
}

/** A mixed load on a running daemon by so many workers at once, written down in a ledger. */
export async function startLoad(daemon: Daemon, ledger: Ledger, workers = 24): Promise<Load> {
  const client = await Client.open(daemon)
  let going = true
  const work = Array.from({ length: workers }, async () => {
    while (going) if (!(await oneChange(client, ledger))) await pause()
  })
  return {
    tryOne: () => oneChange(client, ledger),
    async stop() {
      going = false
      await Promise.all(work)
      client.close()
    },
  }
}

/** Returns whether it was acknowledged. */
async function oneChange(client: Client, ledger: Ledger): Promise<boolean> {
  const line = ledger.anyTarget()
  if (line === undefined) return mintNamed(client, ledger)
  const make = pick([mintNamed, mintNamed, mintUnnamed, createAndGenerate, mintForUser])
  const makes = Math.random() < (ledger.living > ENOUGH ? 0.3 : 0.6)
  if (makes) return make(client, ledger)
  const change = pick([replace, generate, setEnabled, rename, setOwnerEnabled, revoke, revokeItself, remove])
  return change(client, line, ledger)
}

const blank: State = { id: undefined, name: undefined, secret: undefined, enabled: true }

async function mintNamed(client: Client, ledger: Ledger): Promise<boolean> {
  const name = ledger.newName()
  const line = ledger.open()
  const ttl = pick([0, 3600, 86_400])
  return (
    (await line.change(
      (secret) => ({ ...blank, name, secret }),
      () => client.mint({ ttl, name }),
    )) && learn(client, line)
  )
}

/** Its name is made up: while it is not acknowledged, nobody knows what to look for. */
async function mintUnnamed(client: Client, ledger: Ledger): Promise<boolean> {
  const answer = await client.mint({ ttl: 3600 })
  if (answer === 'unknown') ledger.unknown++
  if (typeof answer === 'string') return false
  const line = ledger.open()
  line.possible = [{ ...blank, secret: answer.result }]
  ledger.acknowledged++
  return learn(client, line)
}

/** A mint tells the secret alone: what the token is called and numbered, it says itself. */
async function learn(client: Client, line: Line): Promise<boolean> {
  const { known } = line
  if (known === undefined || typeof known.secret !== 'string') return false
  const who = await client.asAdmin<{ tokenid: string; name: string }>('Auth.WhoAmI', undefined, known.secret)
  if (typeof who === 'string') return false
  line.possible = [{ ...known, id: who.result.tokenid, name: who.result.name }]
  return true
}

async function createAndGenerate(client: Client, ledger: Ledger): Promise<boolean> {
  const name = ledger.newName()
  const line = ledger.open()
  const created = await line.change<{ tokenids: string[] }>(
    (result) => ({ ...blank, name, id: result?.tokenids[0], secret: null }),
    () => client.asAdmin('token.create', { name }),
  )
  return created && generate(client, line)
}

/** A user of its own, so that disabling them ends this token alone. */
async function mintForUser(client: Client, ledger: Ledger): Promise<boolean> {
  const name = ledger.newName()
  const answer = await client.asAdmin<{ userids: string[] }>('user.create', { username: name })
  if (answer === 'unknown') ledger.unknown++
  if (typeof answer === 'string') return false
  const owner = { id: answer.result.userids[0] as string, enabled: true }
  const line = ledger.open()
  const ask = () => client.mint({ ttl: 0, name, userid: owner.id })
  return (await line.change((secret) => ({ ...blank, name, secret, owner }), ask)) && learn(client, line)
}

/** The name's old token is dead from the moment on at which the new one is there. */
async function replace(client: Client, line: Line): Promise<boolean> {
  const { name, owner } = stateOf(line)
  const params = { ttl: 3600, name, replace: true, ...(owner !== undefined && { userid: owner.id }) }
  const effect = (secret: string | undefined) => ({ ...blank, name, secret, ...(owner && { owner }) })
  if (!(await line.change(effect, () => client.mint(params)))) return false
  return owner?.enabled === false || learn(client, line)
}

function generate(client: Client, line: Line): Promise<boolean> {
  const state = stateOf(line)
  return line.change<{ token: string }[]>(
    (result) => ({ ...state, secret: result?.[0]?.token }),
    () => client.asAdmin('token.generate', [state.id]),
  )
}

function setEnabled(client: Client, line: Line): Promise<boolean> {
  const state = stateOf(line)
  return line.change(
    () => ({ ...state, enabled: !state.enabled }),
    () => client.asAdmin('token.update', { tokenid: state.id, status: state.enabled ? 1 : 0 }),
  )
}

function rename(client: Client, line: Line, ledger: Ledger): Promise<boolean> {
  const state = stateOf(line)
  const name = ledger.newName()
  return line.change(
    () => ({ ...state, name }),
    () => client.asAdmin('token.update', { tokenid: state.id, name }),
  )
}

function setOwnerEnabled(client: Client, line: Line): Promise<boolean> {
  const state = stateOf(line)
  const { owner } = state
  if (owner === undefined) return setEnabled(client, line)
  return line.change(
    () => ({ ...state, owner: { ...owner, enabled: !owner.enabled } }),
    () => client.asAdmin('user.update', { userid: owner.id, status: owner.enabled ? 1 : 0 }),
  )
}

function revoke(client: Client, line: Line): Promise<boolean> {
  const { id } = stateOf(line)
  return line.change(
    () => undefined,
    () => client.asAdmin('Auth.RevokeApiToken', { tokenid: id }),
  )
}

function revokeItself(client: Client, line: Line): Promise<boolean> {
  const { secret, enabled, owner } = stateOf(line)
  if (typeof secret !== 'string' || !enabled || owner?.enabled === false) return remove(client, line)
  return line.change(
    () => undefined,
    () => client.asAdmin('Auth.RevokeApiToken', undefined, secret),
  )
}

function remove(client: Client, line: Line): Promise<boolean> {
  const { id } = stateOf(line)
  return line.change(
    () => undefined,
    () => client.asAdmin('token.delete', [id]),
  )
}

function stateOf(line: Line): State {
  if (line.known === undefined) throw new Error('only what is known can be changed')
  return line.known
}

function pick<T>(choices: readonly T[]): T {
  return choices[Math.floor(Math.random() * choices.length)] as T
}

/** A daemon that refuses is not asked as fast as it can refuse. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5))
}
