import { Command } from 'commander'
import type { WhoAmI } from '../methods/auth.ts'
import { Complaint, inWords } from '../protocol/complaint.ts'
import { DurableFile } from '../store/files.ts'
import { Client } from './client.ts'
import { type LimitOptions, limitParams, withLimits } from './limits.ts'
import { readTtl, type SocketOption, socketOf, withSocket } from './options.ts'
import { print, printJson } from './terminal.ts'

/** A token and its newline. */
const TOKEN_BYTES = 54

interface MintOptions extends SocketOption, LimitOptions {
  ttl: string
  name?: string
  user?: string
  description?: string
  replace?: true
  out?: string
  json?: true
}

export function mintCommand(): Command {
  const command = withSocket(
    new Command('mint')
      .description('Mint a token and print it, alone, on stdout.')
      .requiredOption('--ttl <lifetime>', '90s, 30m, 1h, 7d, a number of seconds, or never')
      .option('--name <name>', 'a name, unique among tokens')
      .option('--description <text>', 'a description')
      .option('--user <username>', 'the owner; Admin, or the user of your operator rule, where left out')
      .option('--replace', 'revoke the token that has this name now, in the same step')
      .option('--out <file>', 'write the token to a file (mode 0600, whole or not at all) instead of stdout')
      .option('--json', 'print token, tokenid, name, created and expires as JSON'),
  )
  return withLimits(command).action(mint)
}

async function mint(options: MintOptions): Promise<void> {
  const { ttl, name, user, description, replace, out, json } = options
  if (replace === true && name === undefined) {
    throw new Complaint('--replace needs the name of the token to replace', 'add --name', { exitCode: 2 })
  }
  const params = { ttl: readTtl(ttl), name, description, replace, username: user, ...limitParams(options) }
  const client = new Client(socketOf(options))
  // Before anything is minted or revoked: a token that cannot be put down would be lost, and an old one with it.
  const file = out === undefined ? undefined : openFile(out)
  try {
    const token = (await client.call('Auth.CreateApiToken', defined(params), undefined)) as string
    file?.commit(`${token}\n`)
    const printed = json === true ? await describe(client, token) : undefined
    if (printed !== undefined) printJson(file === undefined ? { token, ...printed } : printed)
    else if (file === undefined) print(token)
  } catch (error) {
    file?.discard()
    throw error
  }
}

function openFile(path: string): DurableFile {
  try {
    return new DurableFile(path, TOKEN_BYTES)
  } catch (error) {
    if (error instanceof Complaint) throw error
    throw new Complaint(`cannot write ${path}: ${inWords(error)}`, 'nothing was minted', { cause: error })
  }
}

async function describe(
  client: Client,
  token: string,
): Promise<Pick<WhoAmI, 'tokenid' | 'name' | 'created' | 'expires'>> {
  const { tokenid, name, created, expires } = (await client.call('Auth.WhoAmI', undefined, token)) as WhoAmI
  return { tokenid, name, created, expires }
}

function defined(params: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined))
}
