import { Command } from 'commander'
import { Complaint } from '../protocol/complaint.ts'
import { useridOf } from './lookup.ts'
import { type SessionOptions, session, withSession } from './session.ts'
import { print, printJson, printTable, wantsJson } from './terminal.ts'

type Row = Readonly<Record<string, string>>

interface ChangeOptions extends SessionOptions {
  username?: string
  name?: string
  surname?: string
  type?: string
  enable?: true
  disable?: true
}

/** `postern user …`: who owns tokens. */
export function userCommand(): Command {
  const command = new Command('user').description('List and manage users.')
  command.addCommand(listCommand())
  command.addCommand(createCommand())
  command.addCommand(updateCommand())
  command.addCommand(deleteCommand())
  return command
}

function listCommand(): Command {
  return withSession(new Command('list'))
    .description('List users.')
    .action(async (options: SessionOptions) => {
      const output = ['userid', 'username', 'name', 'surname', 'type', 'status']
      const query = { output, sortfield: 'userid' }
      const rows = (await session(options, 'postern user list', (call) => call('user.get', query))) as Row[]
      if (wantsJson(options)) printJson(rows)
      else printTable(['id', 'username', 'name', 'type', 'state'], rows.map(cells))
    })
}

function cells({ userid = '', username = '', name = '', surname = '', type = '', status }: Row): string[] {
  return [userid, username, `${name} ${surname}`.trim(), type, status === '1' ? 'disabled' : 'enabled']
}

function withMembers(command: Command): Command {
  return command
    .option('--name <name>', 'first name')
    .option('--surname <surname>', 'family name')
    .option('--type <type>', 'user, admin or superadmin')
}

function createCommand(): Command {
  return withMembers(withSession(new Command('create')))
    .description('Create a user and print the id.')
    .argument('<username>', 'unique')
    .action(async (username: string, options: ChangeOptions) => {
      const draft = { username, ...members(options) }
      const made = await session(options, 'postern user create', (call) => call('user.create', [draft]))
      if (options.json) printJson(made)
      else print((made as { userids: string[] }).userids[0] as string)
    })
}

function updateCommand(): Command {
  return withMembers(withSession(new Command('update')))
    .description('Change a user. Disabling one stops their tokens at once.')
    .argument('<username>', 'who')
    .option('--username <username>', 'a new username')
    .option('--enable', 'let their tokens work again')
    .option('--disable', 'stop their tokens')
    .action(async (who: string, options: ChangeOptions) => {
      const { username, enable, disable } = options
      if (enable && disable)
        throw new Complaint('a user is either enabled or disabled', undefined, { exitCode: 2 })
      const changed = await session(options, 'postern user update', async (call) => {
        const change = {
          userid: await useridOf(call, who),
          ...members(options),
          ...(username !== undefined && { username }),
          ...((enable || disable) && { status: disable ? 1 : 0 }),
        }
        return call('user.update', [change])
      })
      if (options.json) printJson(changed)
    })
}

function deleteCommand(): Command {
  return withSession(new Command('delete'))
    .description('Delete a user and the tokens they own.')
    .argument('<username>', 'who')
    .action(async (who: string, options: SessionOptions) => {
      const deleted = await session(options, 'postern user delete', async (call) => {
        return call('user.delete', [await useridOf(call, who)])
      })
      if (options.json) printJson(deleted)
    })
}

function members({ name, surname, type }: ChangeOptions): Record<string, string> {
  return {
    ...(name !== undefined && { name }),
    ...(surname !== undefined && { surname }),
    ...(type !== undefined && { type }),
  }
}
