import type { Daemon } from '../support/daemon.ts'
import { http, lines, type Response, raw } from '../support/talk.ts'

/** One call, worded for one of the doors. */

export type Door = 'unix' | 'tcp' | 'line' | 'zabbix'

export interface Question {
  readonly method: string
  /** JSON; of an object for a line, if it comes with a token. */
  readonly params: string
  readonly token: string | undefined
}

const ID = 7

export interface Told {
  /** Of HTTP; a line has none. */
  readonly status: number | undefined
  readonly answer: Response
}

export async function tell(daemon: Daemon, door: Door, question: Question): Promise<Told> {
  const { method, token } = question
  const message = (params: string) => `{"jsonrpc":"2.0","id":${ID},"method":"${method}","params":${params}}`
  if (door === 'line') {
    const params = token === undefined ? question.params : withToken(question.params, token)
    return { status: undefined, answer: await onLine(daemon, message(params)) }
  }
  const { status, json } = await http(daemon, message(question.params), {
    door: door === 'tcp' ? 'tcp' : 'unix',
    path: door === 'zabbix' ? '/api_jsonrpc.php' : '/api/',
    ...(token !== undefined && { token }),
  })
  return { status, answer: json }
}

function withToken(params: string, token: string): string {
  return params === '{}' ? `{"Token":"${token}"}` : `{"Token":"${token}",${params.slice(1)}`
}

/** What follows the answer is not waited for: token.watch has much to tell. */
async function onLine(daemon: Daemon, message: string): Promise<Response> {
  const text = await raw(daemon, `${message}\n`, { enough: (said) => /"id":7\}\n/.test(said) })
  const told = lines(text.slice(0, text.lastIndexOf('\n') + 1)) as Response[]
  const answers = told.filter(({ id }) => id === ID)
  if (answers.length !== 1) throw new Error(`not one answer: ${text}`)
  return answers[0] as Response
}
