import { Complaint } from '../protocol/complaint.ts'
import type { Call } from './session.ts'

/** A token object as token.get gives it: strings, times in Unix seconds. */
export type Row = Readonly<Record<string, string>>

/** Zabbix's own members. */
export const LISTED = [
  'tokenid',
  'name',
  'description',
  'userid',
  'lastaccess',
  'status',
  'expires_at',
  'created_at',
  'creator_userid',
]
const BOUNDS = ['max_uses', 'uses', 'idle_ttl', 'allowed_ips', 'rate_limit', 'not_before', 'metadata']
const EVERYTHING = [...LISTED, 'scopes', 'minted_by', ...BOUNDS]

/** By id, or by a name that only one token has. */
export async function findToken(call: Call, wanted: string): Promise<Row> {
  const condition = /^\d+$/.test(wanted) ? { tokenids: [wanted] } : { filter: { name: wanted } }
  const rows = (await call('token.get', { ...condition, output: EVERYTHING })) as Row[]
  const [row, another] = rows
  if (row === undefined)
    throw new Complaint(`there is no token ${wanted}`, 'postern token list shows those there are')
  if (another !== undefined) {
    throw new Complaint(
      `several tokens are called ${wanted}`,
      `name it by its id: ${rows.map(({ tokenid }) => tokenid).join(', ')}`,
    )
  }
  return row
}

export async function usernames(call: Call): Promise<ReadonlyMap<string, string>> {
  const users = (await call('user.get', { output: ['userid', 'username'] })) as {
    userid: string
    username: string
  }[]
  return new Map(users.map(({ userid, username }) => [userid, username]))
}

/** The id of a user who was named. */
export async function useridOf(call: Call, username: string): Promise<string> {
  const users = (await call('user.get', { filter: { username }, output: ['userid'] })) as { userid: string }[]
  const [user] = users
  if (user !== undefined) return user.userid
  throw new Complaint(`there is no user ${username}`, 'postern user list shows those there are')
}
