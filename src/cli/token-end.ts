import { Command } from 'commander'
import type { Explanation } from '../auth/explanation.ts'
import { Complaint } from '../protocol/complaint.ts'
import { findToken, useridOf } from './lookup.ts'
import { type Call, type SessionOptions, session, withSession } from './session.ts'
import { print, printJson, wantsJson } from './terminal.ts'
import { readTime } from './times.ts'

interface RevokeOptions extends SessionOptions {
  all?: true
  user?: string
  createdBefore?: string
  mintedByUid?: string
  mintedOn?: string
}

export function revokeCommand(): Command {
  return withSession(new Command('revoke'))
    .description(
      'End tokens at once, and the connections that they opened: by name, or all that the options describe.',
    )
    .argument('[tokens...]', 'their ids or names')
    .option('--all', 'all tokens')
    .option('--user <username>', 'those of this user')
    .option('--created-before <time>', 'those that are older: 2026-11-22T18:00:00Z, or 30d')
    .option('--minted-by-uid <uid>', 'those that this uid minted')
    .option('--minted-on <door>', 'those that were minted on this door: unix or tcp')
    .action(async (wanted: string[], options: RevokeOptions) => {
      const filter = filterOf(options)
      if (wanted.length > 0 === (filter !== undefined)) {
        throw new Complaint('which tokens?', 'name them, or describe them: --user, --created-before, --all', {
          exitCode: 2,
        })
      }
      const ended = await session(options, 'postern token revoke', async (call, minted) => {
        if (filter === undefined) return revokeNamed(call, wanted)
        const described = await revokeDescribed(call, filter, options.user)
        return minted ? withoutOwn(described, call) : described
      })
      if (wantsJson(options)) printJson(ended)
      else
        print(
          `${ended.tokens} tokens ended, and ${ended.connections ?? 'all of their'} connections with them`,
        )
    })
}

interface Ended {
  tokens: number
  connections?: number
}

async function revokeNamed(call: Call, wanted: readonly string[]): Promise<Ended> {
  const ids: string[] = []
  for (const one of wanted) ids.push((await findToken(call, one)).tokenid as string)
  for (const tokenid of ids) await call('Auth.RevokeApiToken', { tokenid })
  return { tokens: ids.length }
}

async function revokeDescribed(call: Call, filter: object, user: string | undefined): Promise<Ended> {
  const owner = user === undefined ? {} : { userid: await useridOf(call, user) }
  return (await call('token.revoke', { ...filter, ...owner })) as Ended
}

/** The token that was minted for this command may have been among them: nobody wants to see it counted. */
async function withoutOwn(ended: Ended, call: Call): Promise<Ended> {
  const isOver = await call('Auth.WhoAmI', {}).then(
    () => false,
    () => true,
  )
  return isOver ? { ...ended, tokens: ended.tokens - 1 } : ended
}

/** Undefined: nothing is described. */
function filterOf(options: RevokeOptions): object | undefined {
  const { all, user, createdBefore, mintedByUid, mintedOn } = options
  if (!all && [user, createdBefore, mintedByUid, mintedOn].every((one) => one === undefined)) return undefined
  return {
    ...(all && { created_before: Math.ceil(Date.now() / 1000) + 1 }),
    ...(createdBefore !== undefined && { created_before: readTime('--created-before', createdBefore) }),
    ...(mintedByUid !== undefined && { minted_by_uid: Number(mintedByUid) }),
    ...(mintedOn !== undefined && { minted_on: mintedOn }),
  }
}

export function explainCommand(): Command {
  return withSession(new Command('explain'))
    .description('Say whether a token may make a call, and which rule decides it.')
    .argument('<token>', 'its id or its name')
    .argument('<method>', 'the name of the call')
    .option('--from <address>', 'where the call would come from; the Unix socket where left out')
    .action(async (wanted: string, method: string, options: SessionOptions & { from?: string }) => {
      const { from = 'unix' } = options
      const explained = (await session(options, 'postern token explain', async (call) => {
        const { tokenid } = await findToken(call, wanted)
        return call('token.explain', { tokenid, method, from })
      })) as Explanation
      if (wantsJson(options)) printJson(explained)
      else print(`${explained.allowed ? 'allowed' : 'refused'} (${explained.rule}): ${explained.reason}`)
    })
}
