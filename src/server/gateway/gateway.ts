import { join } from 'node:path'
import type { Logger } from 'pino'
import { actorOf } from '../../auth/actor.ts'
import type { TokenCaller } from '../../auth/caller.ts'
import type { Ledger } from '../../auth/ledger.ts'
import { groundSteps } from '../../auth/presumed-ground.ts'
import type { DaemonFacts, Method } from '../../methods/method.ts'
import type { Params } from '../../protocol/jsonrpc.ts'
import { shape } from '../../protocol/schema.ts'
import type { Verbatim } from '../../protocol/verbatim.ts'
import type { Clock } from '../../store/clock.ts'
import type { Store } from '../../store/store.ts'
import { Audience } from './audience.ts'
import { discover, isMethodName } from './catalogue.ts'
import type { UpstreamCredential } from './credential.ts'
import { memberText, onOneLine } from './json-text.ts'
import { broken, type OnMessage } from './link.ts'
import { Patience } from './patience.ts'
import type { SlotKeeper } from './slots.ts'
import { ABANDONED, Upstream, type UpstreamOptions } from './upstream.ts'

/** One `[[upstream]]` of the configuration. */
export interface UpstreamRule extends UpstreamOptions {
  /** What its methods' names begin with here. */
  readonly namespace: string
  /** Whether that is taken off before they reach it. */
  readonly strip: boolean
  /** Their names as the upstream has them, or where to ask for them. */
  readonly methods: 'discover' | readonly string[]
  /** Whether methods that are not listed are passed on as well. */
  readonly allow_unlisted: boolean
}

/** How often an upstream is asked for its methods: once they are known, and until then, in milliseconds. */
const REFRESH_MS = 60_000
const RETRY_MS = 1_000

interface Parts {
  readonly ledger: Ledger
  readonly log: Logger
  /** For its calls. */
  readonly slots: SlotKeeper
  readonly store: Store
  readonly clock: Clock
  readonly daemon: Pick<DaemonFacts, 'tieCall' | 'tieListener'>
  /** systemd's, where there is one: a credential's file without a slash is there. */
  readonly credentialsDir: string | undefined
}

/** An upstream's methods as rows of the table: scope-checked, rate-limited, audited and listed like any other. */
export class Gateway {
  readonly #rule: UpstreamRule
  readonly #parts: Parts
  readonly #upstream: Upstream
  readonly #audience = new Audience()
  #rows = new Map<string, Method>()
  #known = false
  #timer: NodeJS.Timeout | undefined

  constructor(rule: UpstreamRule, parts: Parts) {
    this.#rule = rule
    this.#parts = parts
    const credential = placed(rule.credential, parts.credentialsDir)
    this.#upstream = new Upstream({ ...rule, credential }, parts.slots, this.#onMessage, parts.log)
    if (rule.methods === 'discover') void this.#refresh()
    else this.#list(rule.methods)
  }

  get name(): string {
    return this.#rule.name
  }

  /** Whether its methods are known, and it answers. */
  get isUp(): boolean {
    return this.#known && this.#upstream.isUp
  }

  rows(): Iterable<Method> {
    return this.#rows.values()
  }

  find(name: string): Method | undefined {
    const row = this.#rows.get(name)
    const { namespace, allow_unlisted } = this.#rule
    if (row !== undefined || !name.startsWith(namespace) || !isMethodName(name)) return row
    if (allow_unlisted) return this.#rowOf(name)
    return this.#known ? undefined : this.#unknownYet(name)
  }

  async #refresh(): Promise<void> {
    try {
      const ask = (method: string, bare: boolean) =>
        this.#upstream.call(method, undefined, new Patience(), bare)
      this.#list(await discover(ask))
    } catch (err) {
      if (!this.#known)
        this.#parts.log.debug({ err, upstream: this.name }, 'the methods of an upstream are not known yet')
    }
    this.#timer = setTimeout(() => void this.#refresh(), this.#known ? REFRESH_MS : RETRY_MS).unref()
  }

  #list(names: readonly string[]): void {
    const { namespace, strip } = this.#rule
    const told = names
      .map((name) => (strip ? namespace + name : name))
      .filter((name) => name.startsWith(namespace))
    this.#rows = new Map(told.map((name) => [name, this.#rowOf(name, name)]))
    this.#known = true
  }

  /** What is not listed is counted together: its names are the callers' to make up. */
  #rowOf(name: string, label = `${this.#rule.namespace}*`): Method {
    return {
      name,
      label,
      summary: `Of ${this.name}.`,
      access: 'user',
      effect: 'write',
      params: ANYTHING,
      result: ANYTHING,
      run: (params, caller) => this.#call(name, params, caller as TokenCaller),
    }
  }

  #unknownYet(name: string): Method {
    return { ...this.#rowOf(name), run: () => Promise.reject(broken(undefined)) }
  }

  /** Recorded before it is passed on: what cannot be recorded does not happen. */
  async #call(name: string, params: Params | undefined, caller: TokenCaller): Promise<Verbatim> {
    const { ledger, daemon } = this.#parts
    const { namespace, strip } = this.#rule
    const patience = new Patience()
    const abandon = () => patience.end(ABANDONED)
    caller.line?.onClosed.add(abandon)
    const untie = daemon.tieCall(caller, abandon)
    try {
      const audit = [
        { event: 'upstream.call', by: actorOf(caller), upstream: this.name, method: name } as const,
      ]
      await ledger.decide(async (attempt) => {
        const steps = await groundSteps(caller, this.#parts, attempt)
        return (await ledger.commit({ steps, audit })) ? true : undefined
      })
      patience.throwIfOver()
      this.#audience.add(caller, (onEnd) => caller.outlet?.onClose(daemon.tieListener(caller, onEnd)))
      return await this.#upstream.call(strip ? name.slice(namespace.length) : name, params, patience)
    } finally {
      untie()
      caller.line?.onClosed.delete(abandon)
    }
  }

  readonly #onMessage: OnMessage = (received, message) => {
    const { namespace, strip } = this.#rule
    const method = String(message.method)
    const text = onOneLine(received) // those who hear it may take each line for a message
    this.#parts.store.refresh() // who has lost the right to hear it is let go of first
    if (strip) this.#audience.tell(namespace + method, renamed(text, namespace + method))
    else if (method.startsWith(namespace)) this.#audience.tell(method, text)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#upstream.close()
  }
}

function placed(
  credential: UpstreamCredential | undefined,
  folder: string | undefined,
): UpstreamCredential | undefined {
  if (credential === undefined || folder === undefined || credential.file.includes('/')) return credential
  return { ...credential, file: join(folder, credential.file) }
}

/** Its parameters as they came: numbers of any size among them. */
function renamed(text: string, method: string): string {
  const params = memberText(text, 'params')
  const rest = params === undefined ? '' : `,"params":${params}`
  return `{"jsonrpc":"2.0","method":${JSON.stringify(method)}${rest}}`
}

const ANYTHING = { ...shape<unknown>({}), read: (value: unknown) => value }
