import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { Command } from 'commander'
import { Complaint, inWords } from '../protocol/complaint.ts'
import { socketOf } from './options.ts'
import { type SessionOptions, session, withSession } from './session.ts'
import { print } from './terminal.ts'

/** As long as somebody looks: the session's token has to last. */
const MONTH = 30 * 86_400

export function watchCommand(): Command {
  return withSession(new Command('watch'))
    .description('Show what happens to tokens, as it happens, one JSON line each.')
    .option('--after <number>', 'from behind this event on; 0: all that there were')
    .action(async (options: SessionOptions & { after?: string }) => {
      const { after } = options
      if (after !== undefined && !/^\d{1,15}$/.test(after))
        throw new Complaint(`--after ${after}: not the number of an event`, undefined, { exitCode: 2 })
      const params = after === undefined ? {} : { after: Number(after) }
      const work = (token: string) => follow(socketOf(options), { ...params, Token: token })
      await session(options, 'postern token watch', (_call, _minted, token) => work(token), {
        ttl: MONTH,
      })
    })
}

/** Newline-delimited JSON: one call, and then notifications until somebody ends it. */
async function follow(socket: string, params: object): Promise<void> {
  const connection = connect(socket)
  connection.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'token.watch', params })}\n`)
  const lines = createInterface({ input: connection })
  const stop = () => lines.close()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  try {
    for await (const line of lines) {
      const { error, params: event } = JSON.parse(line)
      if (error !== undefined)
        throw new Complaint(`token.watch: ${error.message} ${error.data ?? ''}`.trimEnd())
      if (event !== undefined) print(JSON.stringify(event))
    }
  } catch (error) {
    if (error instanceof Complaint) throw error
    throw new Complaint(`the watch has ended: ${inWords(error)}`, 'go on with --after and the last number')
  } finally {
    connection.destroy()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop)
  }
}
