import { Command } from 'commander'
import { actorInWords } from '../announcement.ts'
import type { Actor } from '../auth/records.ts'
import type { WhoAmI } from '../methods/auth.ts'
import { Complaint } from '../protocol/complaint.ts'
import { findToken, type Row, useridOf, usernames } from './lookup.ts'
import { readTtl } from './options.ts'
import { type SessionOptions, session, withSession } from './session.ts'
import { print, printJson, printTable, wantsJson } from './terminal.ts'
import { relative } from './times.ts'

/** `postern token …`: tokens with names, owners and states. */
export function tokenCommand(): Command {
  const command = new Command('token').description('List and manage tokens.')
  command.addCommand(listCommand())
  command.addCommand(showCommand())
  command.addCommand(createCommand())
  command.addCommand(generateCommand())
  command.addCommand(updateCommand())
  command.addCommand(deleteCommand())
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
            ['id', 'name', 'owner', 'state', 'expires', 'last used'],
            rows.map((row) => cells(row, owners)),
          )
      },
    )
}

function cells(row: Row, owners: ReadonlyMap<string, string>): string[] {
  const { tokenid = '', name = '', userid = '', status, expires_at, lastaccess } = row
  const state = status === '1' ? 'disabled' : isOver(row) ? 'expired' : 'enabled'
  const expires = relative(Number(expires_at), 'never')
  return [tokenid, name, owners.get(userid) ?? userid, state, expires, relative(Number(lastaccess), 'never')]
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
      const facts: Record<string, unknown> = {
        ...others,
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

function createCommand(): Command {
  return withSession(new Command('create'))
    .description('Create a token, generate its secret, and print that alone.')
    .argument('<name>', 'unique among the tokens of its owner')
    .option('--user <username>', 'the owner; Admin where left out')
    .option('--description <text>', 'a description')
    .option('--ttl <lifetime>', '90s, 30m, 1h, 7d, a number of seconds, or never', 'never')
    .option('--no-secret', 'print the id instead; the secret is generated later')
    .action(
      async (
        name: string,
        options: SessionOptions & { user?: string; description?: string; ttl: string; secret: boolean },
      ) => {
        const made = await session(options, 'postern token create', async (call) => {
          const { user, description, ttl } = options
          const draft = {
            name,
            expires_at: expiryAfter(ttl),
            ...(description !== undefined && { description }),
            ...(user !== undefined && { userid: await useridOf(call, user) }),
          }
          const { tokenids } = (await call('token.create', [draft])) as { tokenids: string[] }
          if (!options.secret) return { tokenid: tokenids[0] as string, token: undefined }
          return ((await call('token.generate', tokenids)) as { tokenid: string; token: string }[])[0] as {
            tokenid: string
            token: string
          }
        })
        if (options.json) printJson(made)
        else print(made.token ?? made.tokenid)
      },
    )
}

function generateCommand(): Command {
  return withSession(new Command('generate'))
    .description('Make a new secret for a token and print it, alone. The old one is dead at once.')
    .argument('<token>', 'its id or its name')
    .action(async (wanted: string, options: SessionOptions) => {
      const made = await session(options, 'postern token generate', async (call) => {
        const { tokenid } = await findToken(call, wanted)
        return (await call('token.generate', [tokenid])) as { tokenid: string; token: string }[]
      })
      if (options.json) printJson(made[0])
      else print(made[0]?.token ?? '')
    })
}

interface UpdateOptions extends SessionOptions {
  name?: string
  description?: string
  ttl?: string
  enable?: true
  disable?: true
}

function updateCommand(): Command {
  return withSession(new Command('update'))
    .description('Change name, description, expiry or state of a token.')
    .argument('<token>', 'its id or its name')
    .option('--name <name>', 'a new name')
    .option('--description <text>', 'a new description')
    .option('--ttl <lifetime>', 'a new end, from now on; never for none')
    .option('--enable', 'accept it again')
    .option('--disable', 'refuse it from now on')
    .action(async (wanted: string, options: UpdateOptions) => {
      const { name, description, ttl, enable, disable } = options
      if (enable && disable)
        throw new Complaint('a token is either enabled or disabled', undefined, { exitCode: 2 })
      const changed = await session(options, 'postern token update', async (call) => {
        const { tokenid } = await findToken(call, wanted)
        const change = {
          tokenid,
          ...(name !== undefined && { name }),
          ...(description !== undefined && { description }),
          ...(ttl !== undefined && { expires_at: expiryAfter(ttl) }),
          ...((enable || disable) && { status: disable ? 1 : 0 }),
        }
        return call('token.update', [change])
      })
      if (options.json) printJson(changed)
    })
}

function deleteCommand(): Command {
  return withSession(new Command('delete'))
    .description('Delete tokens for good.')
    .argument('<tokens...>', 'their ids or names')
    .action(async (wanted: string[], options: SessionOptions) => {
      const deleted = await session(options, 'postern token delete', async (call) => {
        const ids: string[] = []
        for (const one of wanted) ids.push((await findToken(call, one)).tokenid as string)
        return call('token.delete', ids)
      })
      if (options.json) printJson(deleted)
    })
}

/** Unix seconds of the end; 0: never. */
function expiryAfter(ttl: string): number {
  const seconds = readTtl(ttl)
  return seconds === 0 ? 0 : Math.floor(Date.now() / 1000) + seconds
}
