import { setTimeout as pause } from 'node:timers/promises'
import { type Made, make, ok, user } from '../support/lives.ts'
import { call, http, mint } from '../support/talk.ts'
import { type Door, type Ground, show, zabbix } from './doors.ts'
import { any, Known, type Register } from './register.ts'

/** One who works on a daemon: with doors of their own, so that nobody waits for another's answer. */
export interface Hand extends Ground {
  readonly doors: readonly Door[]
  readonly register: Register
}

export type Deed = (hand: Hand) => Promise<void>

/** How far clocks may differ in what they say of a second, in milliseconds. */
const MARGIN_MS = 20
const HOUR = 3600

/** Shows a token at so many doors, whichever. */
async function showAround({ doors, register }: Hand, known: Known, times: number): Promise<void> {
  for (let n = 0; n < times; n++) await show(known, any(doors) as Door, register)
}

async function dies(hand: Hand, known: Known, change: () => Promise<unknown>): Promise<void> {
  await known.end(change)
  await showAround(hand, known, 3)
  hand.register.bury(known)
}

const asKnown = ({ token, tokenid }: Made) => new Known(token, tokenid)

export const mintedAndRevoked: Deed = async (hand) => {
  const { daemon, admin } = hand
  const known = asKnown(await make(daemon, admin, { ttl: HOUR }))
  await showAround(hand, known, 3)
  const { secret, tokenid } = known
  const ways = [
    () => ok(daemon, 'Auth.RevokeApiToken', { tokenid }, admin),
    () => ok(daemon, 'Auth.RevokeApiToken', { token: secret }, admin),
    () => ok(daemon, 'Auth.RevokeApiToken', {}, secret, { door: 'tcp' }),
    () => ok(daemon, 'token.delete', [tokenid], admin),
    () => oauthRevoke(hand, secret),
  ]
  await dies(hand, known, any(ways) as () => Promise<unknown>)
}

async function oauthRevoke({ daemon, admin }: Hand, token: string): Promise<void> {
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
  const answer = await http(daemon, `token=${token}`, { path: '/oauth2/revoke', headers, token: admin })
  if (answer.status !== 200) throw new Error(`revocation: ${answer.status} ${answer.body}`)
}

/** Left to the sweeper afterwards. */
export const expiring: Deed = async (hand) => {
  const sent = Date.now()
  const known = asKnown(await make(hand.daemon, hand.admin, { ttl: 1 }))
  known.livesUntil = sent + 1000 - MARGIN_MS
  known.deadFrom = Date.now() + 1000 + MARGIN_MS
  await showAround(hand, known, 2)
  await pause(known.deadFrom - Date.now())
  await showAround(hand, known, 2)
  hand.register.bury(known)
}

export const managed: Deed = async (hand) => {
  const { daemon, admin } = hand
  const administer = <T>(method: string, params: unknown) => ok<T>(daemon, method, params, admin)
  await manage(hand, administer)
}

/** The same in Zabbix's dialect. */
export const managedByZabbix: Deed = async (hand) => {
  await manage(hand, async <T>(method: string, params: unknown) => {
    const { json } = await zabbix(hand.daemon, method, params, hand.admin)
    if (json.error !== undefined) throw new Error(`${method}: ${JSON.stringify(json.error)}`)
    return json.result as T
  })
}

let names = 0

async function manage(
  hand: Hand,
  administer: <T>(method: string, params: unknown) => Promise<T>,
): Promise<void> {
  const name = `managed-${++names}`
  const { tokenids } = await administer<{ tokenids: string[] }>('token.create', { name })
  const tokenid = tokenids[0] as string
  const generate = async () => {
    const [generated] = await administer<{ token: string }[]>('token.generate', [tokenid])
    return generated?.token as string
  }
  const known = new Known(await generate(), tokenid)
  await showAround(hand, known, 2)
  await known.end(() => administer('token.update', { tokenid, status: 1 }))
  await showAround(hand, known, 2)
  await known.revive(() => administer('token.update', { tokenid, status: 0 }))
  await showAround(hand, known, 2)
  const next = known.successor(await known.end(generate))
  await showAround(hand, known, 1)
  await showAround(hand, next, 2)
  const found = await administer<{ name: string }[]>('token.get', { tokenids, output: ['name'] })
  if (found[0]?.name !== name) throw new Error(`${name} is not found: ${JSON.stringify(found)}`)
  hand.register.bury(known)
  await dies(hand, next, () => administer('token.delete', [tokenid]))
}

/** Once with a grace of a second, once without. */
export const rotated: Deed = async (hand) => {
  const { daemon, admin, register } = hand
  const first = asKnown(await make(daemon, admin, { ttl: HOUR }))
  const { tokenid } = first
  const rotate = async (grace: number) =>
    (await ok<{ token: string }>(daemon, 'token.rotate', { tokenid, grace }, admin)).token
  const sent = Date.now()
  const second = first.successor(await rotate(1))
  first.livesUntil = sent + 1000 - MARGIN_MS
  first.deadFrom = Date.now() + 1000 + MARGIN_MS
  for (const known of [first, second, first]) await showAround(hand, known, 1)
  await pause(first.deadFrom - Date.now())
  await showAround(hand, first, 2)
  const third = second.successor(await second.end(() => rotate(0)))
  for (const known of [second, third]) await showAround(hand, known, 2)
  register.bury(first)
  register.bury(second)
  await dies(hand, third, () => ok(daemon, 'Auth.RevokeApiToken', { tokenid }, admin))
}

export const owned: Deed = async (hand) => {
  const { daemon, admin } = hand
  const userid = await user(daemon, admin)
  const update = (status: number) => () => ok(daemon, 'user.update', { userid, status }, admin)
  const known = asKnown(await make(daemon, admin, { ttl: HOUR, userid }))
  await showAround(hand, known, 2)
  await known.end(update(1))
  await showAround(hand, known, 2)
  await known.revive(update(0))
  await showAround(hand, known, 2)
  await dies(hand, known, () => ok(daemon, 'user.delete', [userid], admin))
}

/** Of many who show a token for one use at the same moment, one is let through. */
export const usedOnce: Deed = async ({ daemon, register }) => {
  const token = await mint(daemon, { ttl: 10, max_uses: 1 })
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => call(daemon, 'Auth.WhoAmI', undefined, { token })),
  )
  const statuses = answers.map(({ status }) => status).sort()
  if (String(statuses) !== '200,401,401,401') register.complain(`a token for one use: ${statuses}`)
  const spent = new Known(token, 'for one use')
  spent.livesUntil = 0
  spent.deadFrom = Date.now()
  register.bury(spent)
}

/** Those that have lived from the beginning, and those that are dead, are as they were. */
export const remembered: Deed = async ({ register, doors }) => {
  for (const known of [register.anyLiving(), register.anyDead()])
    if (known !== undefined) await show(known, any(doors) as Door, register)
}
