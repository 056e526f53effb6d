import { Command } from 'commander'
import { Complaint } from '../protocol/complaint.ts'
import { type LimitOptions, limitParams, withLimits } from './limits.ts'
import { findToken, useridOf } from './lookup.ts'
import { readTtl } from './options.ts'
import { type SessionOptions, session, withSession } from './session.ts'
import { print, printJson } from './terminal.ts'

/** What the session's own token has to outlast what it makes by, in seconds. */
const SPARE = 60

interface Generated {
  tokenid: string
  token: string
}

export function createCommand(): Command {
  const command = withSession(new Command('create'))
    .description('Create a token, generate its secret, and print that alone.')
    .argument('<name>', 'unique among the tokens of its owner')
    .option('--user <username>', 'the owner; Admin where left out')
    .option('--description <text>', 'a description')
    .option('--ttl <lifetime>', '90s, 30m, 1h, 7d, a number of seconds, or never', 'never')
    .option('--no-secret', 'print the id instead; the secret is generated later')
  return withLimits(command).action(create)
}

type CreateOptions = SessionOptions &
  LimitOptions & { user?: string; description?: string; ttl: string; secret: boolean }

async function create(name: string, options: CreateOptions): Promise<void> {
  const { user, description, ttl } = options
  const limits = limitParams(options)
  const made = await session(
    options,
    'postern token create',
    async (call) => {
      const draft = {
        name,
        expires_at: expiryAfter(ttl),
        ...limits,
        ...(description !== undefined && { description }),
        ...(user !== undefined && { userid: await useridOf(call, user) }),
      }
      const { tokenids } = (await call('token.create', [draft])) as { tokenids: string[] }
      if (!options.secret) return { tokenid: tokenids[0] as string, token: undefined }
      return ((await call('token.generate', tokenids)) as Generated[])[0] as Generated
    },
    { ttl: outlasting(ttl) },
  )
  if (options.json) printJson(made)
  else print(made.token ?? made.tokenid)
}

export function generateCommand(): Command {
  return withSession(new Command('generate'))
    .description('Make a new secret for a token and print it, alone. The old one is dead at once.')
    .argument('<token>', 'its id or its name')
    .action(async (wanted: string, options: SessionOptions) => {
      const made = await session(
        options,
        'postern token generate',
        async (call) => {
          const { tokenid } = await findToken(call, wanted)
          return (await call('token.generate', [tokenid])) as Generated[]
        },
        { ttl: 0 },
      )
      if (options.json) printJson(made[0])
      else print(made[0]?.token ?? '')
    })
}

export function rotateCommand(): Command {
  return withSession(new Command('rotate'))
    .description('Make a new secret for a token and print it, alone. The old one is accepted for a while.')
    .argument('<token>', 'its id or its name')
    .option('--grace <time>', 'for how long the old secret is accepted: 0, 30m, 7d', '1h')
    .action(async (wanted: string, options: SessionOptions & { grace: string }) => {
      const grace = readGrace(options.grace)
      const made = await session(
        options,
        'postern token rotate',
        async (call) => {
          const { tokenid } = await findToken(call, wanted)
          return (await call('token.rotate', { tokenid, grace })) as Generated
        },
        { ttl: 0 },
      )
      if (options.json) printJson(made)
      else print(made.token)
    })
}

interface UpdateOptions extends SessionOptions, LimitOptions {
  name?: string
  description?: string
  ttl?: string
  enable?: true
  disable?: true
}

export function updateCommand(): Command {
  const command = withSession(new Command('update'))
    .description('Change name, description, expiry, state or bounds of a token.')
    .argument('<token>', 'its id or its name')
    .option('--name <name>', 'a new name')
    .option('--description <text>', 'a new description')
    .option('--ttl <lifetime>', 'a new end, from now on; never for none')
    .option('--enable', 'accept it again')
    .option('--disable', 'refuse it from now on')
  return withLimits(command).action(update)
}

async function update(wanted: string, options: UpdateOptions): Promise<void> {
  const { name, description, ttl, enable, disable } = options
  if (enable && disable)
    throw new Complaint('a token is either enabled or disabled', undefined, { exitCode: 2 })
  const limits = limitParams(options)
  const changed = await session(
    options,
    'postern token update',
    async (call) => {
      const { tokenid } = await findToken(call, wanted)
      const change = {
        tokenid,
        ...(name !== undefined && { name }),
        ...(description !== undefined && { description }),
        ...(ttl !== undefined && { expires_at: expiryAfter(ttl) }),
        ...((enable || disable) && { status: disable ? 1 : 0 }),
        ...limits,
      }
      return call('token.update', [change])
    },
    { ttl: 0 },
  )
  if (options.json) printJson(changed)
}

export function deleteCommand(): Command {
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

function readGrace(text: string): number {
  if (text !== 'never') return readTtl(text, '--grace')
  throw new Complaint('--grace never: an old secret that never dies is not rotated', 'say for how long', {
    exitCode: 2,
  })
}

function outlasting(ttl: string): number {
  const seconds = readTtl(ttl)
  return seconds === 0 ? 0 : seconds + SPARE
}
