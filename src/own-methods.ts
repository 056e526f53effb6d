import { actorOf } from './auth/actor.ts'
import { RANK, type TokenCaller } from './auth/caller.ts'
import type { Ledger } from './auth/ledger.ts'
import { isScope } from './auth/scopes.ts'
import { METHODS } from './methods/index.ts'
import { type Method, method as row } from './methods/method.ts'
import { ZABBIX_METHODS } from './methods/zabbix.ts'
import { Complaint } from './protocol/complaint.ts'
import type { Maybe } from './protocol/maybe.ts'
import type { Schema } from './protocol/schema.ts'

/** A method that a program adds to the daemon's own. */
export interface OwnMethod<P, R> {
  /** Segments of letters, digits, `_`, `-` and `/`, joined by dots (`math.add`), so that a scope can name it. */
  readonly name: string
  /** One sentence, for rpc.discover. */
  readonly summary: string
  /** The least user type whose token may call it. Its scopes have to name it, too. */
  readonly access: 'user' | 'admin' | 'superadmin'
  /** `write`: the audit log says who made the call (not with which parameters), durably before the handler runs. */
  readonly effect: 'read' | 'write'
  /** Checked before the handler runs. With object() they may also be given by position. */
  readonly params: Schema<P> & { readonly fields?: Readonly<Record<string, unknown>> }
  /** For rpc.discover and for the type of the handler; answers are not checked. */
  readonly result: Schema<R>
  /** Throws Failure, which the caller is told; of whatever else it throws only that it is an internal error. */
  readonly handler: (params: P, caller: TokenCaller) => Maybe<R>
}

/** A row for startDaemon(), with its types checked: parameters and result are drawn from the schemas. */
export function method<P, R>({ handler, ...own }: OwnMethod<P, R>): Method {
  return row({
    ...own,
    handler(params: P, caller: TokenCaller, { ledger }) {
      if (own.effect === 'read') return handler(params, caller)
      return recordCall(own.name, caller, ledger).then(() => handler(params, caller))
    },
  })
}

/** Throws `unavailable`: where nothing can be written, nothing is done. */
async function recordCall(name: string, caller: TokenCaller, ledger: Ledger): Promise<void> {
  await ledger.commit({ steps: [], audit: [{ event: 'method.call', by: actorOf(caller), method: name }] })
}

/** Throws Complaint for a row that nobody could name in a scope, that takes the place of another, or that needs no token. */
export function refuseUnfit(methods: readonly Method[]): void {
  const taken = new Map(
    [...METHODS, ...ZABBIX_METHODS].map(({ name }) => [lower(name), 'a method of its own']),
  )
  for (const { name, access } of methods) {
    const where = `the method ${JSON.stringify(name)}`
    if (!isScope(name) || name.endsWith('*'))
      throw new Complaint(`${where} has no name that a scope could have`, 'name it like "math.add"')
    if (lower(name).startsWith('rpc.'))
      throw new Complaint(`${where} has a name that JSON-RPC keeps for itself`, 'choose another namespace')
    const other = taken.get(lower(name))
    if (other !== undefined)
      throw new Complaint(`${where} would take the place of ${other}`, 'choose another name')
    if (!Object.hasOwn(RANK, access))
      throw new Complaint(
        `${where} has access ${JSON.stringify(access)}: a program's methods need a token`,
        'access is "user", "admin" or "superadmin"',
      )
    taken.set(lower(name), 'another one')
  }
}

/** As Zabbix compares them; names that differ in case alone would confuse people, too. */
function lower(name: string): string {
  return name.toLowerCase()
}
