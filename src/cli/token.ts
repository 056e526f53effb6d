import { Command } from 'commander'
import { actorInWords } from '../announcement.ts'
import type { Actor } from '../auth/records.ts'
import type { WhoAmI } from '../methods/auth.ts'
import { findToken, LISTED, type Row, useridOf, usernames } from './lookup.ts'
import { type SessionOptions, session, withSession } from './session.ts'
import { printJson, printTable, wantsJson } from './terminal.ts'
import { relative } from './times.ts'
import { explainCommand, revokeCommand } from './token-end.ts'
import { watchCommand } from './token-watch.ts'
import { createCommand, deleteCommand, generateCommand, rotateCommand, updateCommand } from './token-write.ts'

/** `postern token …`: tokens with names, owners and states. */
export function tokenCommand(): Command {
  const command = new Command('token').description('List and manage tokens.')
  command.addCommand(listCommand())
  command.addCommand(showCommand())
  command.addCommand(createCommand())
  command.addCommand(generateCommand())
  command.addCommand(rotateCommand())
  command.addCommand(updateCommand())
  command.addCommand(revokeCommand())
  command.addCommand(deleteCommand())
  command.addCommand(explainCommand())
  command.addCommand(watchCommand())
  return command
}

function listCommand(): Command {
  return withSession(new Command('list'))
    .description('List tokens with their owners, expiry and last use.')
    .option('--user <username>', 'only those of this user')
    .option('--search <text>', 'only those with this in their name')
    .option('--sort <field>', 'tokenid, name, lastaccess, status, expires_at or created_at', 'tokenid')
    .option('--limit <number>', 'how many at most', '1000')
    .action(
      async (options: SessionOptions & { user?: string; search?: string; sort: string; limit: string }) => {
        const { user, search, sort, limit } = options
        const { rows, owners } = await session(options, 'postern token list', async (call, minted) => {
          const userids = user === undefined ? undefined : [await useridOf(call, user)]
          const query = {
            sortfield: sort,
            limit,
            output: [...LISTED, 'scopes'],
            ...(userids && { userids }),
            ...(search && { search: { name: search } }),
          }
          const found = (await call('token.get', query)) as Row[]
          const ownId = minted ? ((await call('Auth.WhoAmI', {})) as WhoAmI).tokenid : undefined
          return { rows: found.filter(({ tokenid }) => tokenid !== ownId), owners: await usernames(call) }
        })
        if (wantsJson(options)) printJson(rows)
        else
          printTable(
            ['id', 'name', 'owner', 'state', 'expires', 'last used', 'scopes'],
            rows.map((row) => cells(row, owners)),
          )
      },
    )
}

function cells(row: Row, owners: ReadonlyMap<string, string>): string[] {
  const { tokenid = '', name = '', userid = '', status, expires_at, lastaccess } = row
  const { scopes } = row as unknown as { scopes: string[] }
  const state = status === '1' ? 'disabled' : isOver(row) ? 'expired' : 'enabled'
  const expires = relative(Number(expires_at), 'never')
  const used = relative(Number(lastaccess), 'never')
  return [tokenid, name, owners.get(userid) ?? userid, state, expires, used, scopes.join(' ')]
}

function isOver({ expires_at }: Row): boolean {
  return expires_at !== '0' && Number(expires_at) < Date.now() / 1000
}

function showCommand(): Command {
  return withSession(new Command('show'))
    .description('Show all that is known about a token.')
    .argument('<token>', 'its id or its name')
    .action(async (wanted: string, options: SessionOptions) => {
      const { row, owners } = await session(options, 'postern token show', async (call) => ({
        row: await findToken(call, wanted),
        owners: await usernames(call),
      }))
      if (wantsJson(options)) {
        printJson(row)
        return
      }
      const { userid = '', creator_userid = '', expires_at, created_at, lastaccess, status, ...rest } = row
      const { scopes, minted_by, ...others } = rest as Record<string, unknown>
      const bounds = Object.entries(others).filter(([, value]) => value !== null)
      const facts: Record<string, unknown> = {
        ...Object.fromEntries(bounds),
        scopes: (scopes as string[]).join(' '),
        owner: owners.get(userid) ?? userid,
        creator: owners.get(creator_userid) ?? 'a deleted user',
        state: status === '1' ? 'disabled' : isOver(row) ? 'expired' : 'enabled',
        created: relative(Number(created_at), ''),
        'minted by': minted_by === null ? '-' : actorInWords(minted_by as Actor),
        expires: relative(Number(expires_at), 'never'),
        'last used': relative(Number(lastaccess), 'never'),
      }
      const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
      printTable(
        ['token', row.name ?? ''],
        Object.entries(facts).map(([key, value]) => [key, text(value)]),
      )
    })
}
