import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { Daemon } from '../support/daemon.ts'
import { mint, type Response } from '../support/talk.ts'
import type { Answer } from './ledger.ts'

/** Many questions over few connections. Asks as a superadmin, as whoever a token is for or, without a token, as a local operator. */
export class Client {
  readonly #daemon: Daemon
  readonly #admin: string
  readonly #agent = new Agent({ keepAlive: true })

  private constructor(daemon: Daemon, admin: string) {
    this.#daemon = daemon
    this.#admin = admin
  }

  static async open(daemon: Daemon): Promise<Client> {
    return new Client(daemon, await mint(daemon))
  }

  close(): void {
    this.#agent.destroy()
  }

  asAdmin<T>(method: string, params?: unknown, token = this.#admin): Promise<Answer<T>> {
    return answerOf<T>(this.ask(method, params, token))
  }

  mint(params: Record<string, unknown>): Promise<Answer<string>> {
    return answerOf<string>(this.ask('Auth.CreateApiToken', params))
  }

  async ask(method: string, params?: unknown, token = this.#admin): Promise<Response> {
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }
    const where = { socketPath: this.#daemon.socket, path: '/api/', method: 'POST', agent: this.#agent }
    const req = request({ ...where, headers })
    req.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method, ...(params !== undefined && { params }) }))
    const [res] = await once(req, 'response')
    let text = ''
    for await (const chunk of res.setEncoding('utf8')) text += chunk
    return JSON.parse(text) as Response
  }
}

/** An error says that nothing has happened, but for the one that says it cannot tell. */
async function answerOf<T>(asked: Promise<Response>): Promise<Answer<T>> {
  try {
    const { result, error } = await asked
    if (error === undefined) return { result: result as T }
    return error.data?.includes('may or may not') === true ? 'unknown' : 'refused'
  } catch {
    return 'unknown'
  }
}
