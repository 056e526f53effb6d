import type { Admission } from '../auth/admission.ts'
import type { AuditLog } from '../auth/audit-log.ts'
import type { Auditor } from '../auth/auditor.ts'
import type { Backups } from '../auth/backups.ts'
import type { AnonymousCaller, Caller, LocalCaller, TokenCaller } from '../auth/caller.ts'
import type { Explainer } from '../auth/explanation.ts'
import type { Inspection } from '../auth/inspection.ts'
import type { Configurations } from '../auth/jwt/configurations.ts'
import type { Issuer } from '../auth/jwt/issuer.ts'
import type { PersonalTokens } from '../auth/jwt/personal-tokens.ts'
import type { LastAccess } from '../auth/last-access.ts'
import type { Ledger } from '../auth/ledger.ts'
import type { MassRevocation } from '../auth/mass-revocation.ts'
import type { UserType } from '../auth/records.ts'
import type { TokenGet } from '../auth/token-get.ts'
import type { TokenObjects } from '../auth/token-objects.ts'
import type { TokenRenewal } from '../auth/token-renewal.ts'
import type { Tokens } from '../auth/tokens.ts'
import type { UserObjects } from '../auth/user-objects.ts'
import type { Users } from '../auth/users.ts'
import type { Verifier } from '../auth/verifier.ts'
import type { Watches } from '../auth/watches.ts'
import type { WishRefusals } from '../auth/wish-refusals.ts'
import type { Params } from '../protocol/jsonrpc.ts'
import type { Maybe } from '../protocol/maybe.ts'
import { invalidParameter, type Schema } from '../protocol/schema.ts'
import type { Verbatim } from '../protocol/verbatim.ts'

/** Who may call: an operator the kernel vouches for, or the least user type whose token may. Nothing is public. */
export type Access = 'local' | UserType

/** What handlers work with. */
export interface Services {
  readonly ledger: Ledger
  readonly tokens: Tokens
  readonly wishRefusals: Pick<WishRefusals, 'record'>
  readonly users: Users
  readonly lastAccess: LastAccess
  readonly admission: Admission
  readonly audit: AuditLog
  readonly auditor: Pick<Auditor, 'checkpoint' | 'publicKey'>
  readonly backups: Pick<Backups, 'begin' | 'read' | 'end' | 'fingerprint'>
  /** A look at everything, as it is now; close it. */
  inspect(): { readonly inspection: Inspection; close(): Promise<void> }
  readonly tokenObjects: TokenObjects
  readonly renewal: TokenRenewal
  readonly tokenGet: TokenGet
  readonly massRevocation: MassRevocation
  readonly explainer: Explainer
  readonly watches: Watches
  readonly configurations: Configurations
  readonly issuer: Issuer
  readonly personalTokens: PersonalTokens
  readonly userObjects: UserObjects
  readonly verifier: Verifier
  readonly daemon: DaemonFacts
  /** Tells the operator of what is unwise, in the log. */
  warn(text: string): void
  readonly methods: readonly Method[]
}

/** What the daemon knows about itself. */
export interface DaemonFacts {
  readonly version: string
  readonly backend: string
  /** Threads that serve the doors. */
  readonly workers: number
  /** Seconds. */
  uptime(): number
  writable(): boolean
  connections(): number
  /** Connections that ended with the token that they rested on, so far. */
  endedConnections(): Maybe<number>
  /** In Prometheus' text format. */
  metrics(): Promise<string>
  /** From now on the conversation that a call came over ends with the token that made the call. */
  tie(caller: TokenCaller): void
  /** Calls back once when the token that made a call ends, or may do less. Returns how to let go. */
  tieCall(caller: TokenCaller, onEnd: () => void): () => void
  /** The same for what goes on after a call: also when the token is used up. */
  tieListener(caller: TokenCaller, onEnd: () => void): () => void
  /** How it is told who is local, on each door. */
  vouching(): Vouching
  /** Reads the configuration and the certificates again. Throws Failure with what is wrong with them. */
  reload(caller: Caller): Promise<Reloaded>
  /** Believes the wall clock from now on, whatever was believed before. In milliseconds since 1970. */
  resetClock(caller: Caller): Promise<ClockReset>
}

/** `kernel`: it names everybody who connects. `file mode`: it cannot be asked, and who may open the socket is local. */
export interface Vouching {
  readonly unix: 'kernel' | 'file mode'
  /** `nobody`: the kernel cannot be asked. `closed`: listen.loopback_mint is off. */
  readonly tcp: 'kernel' | 'nobody' | 'closed'
}

/** What was believed until now, and what is from now on; milliseconds since 1970. */
export interface ClockReset {
  readonly before: number
  readonly now: number
}

/** Names of what was changed, and of what will be with the next start. */
export interface Reloaded {
  readonly reloaded: readonly string[]
  readonly need_restart: readonly string[]
}

/** With `fields`, parameters may be given by position, in their order. Without, they are one list, or one object by name. */
type ParamsSchema<P> = Schema<P> & { readonly fields?: Readonly<Record<string, unknown>> }

/** One row of the table: everything there is to know about a method. Dispatch, documents and the command line read it. */
export interface Method {
  readonly name: string
  /** What it is counted under, where strangers could make up names. */
  readonly label?: string
  readonly summary: string
  readonly access: Access
  /** `write` is audited in the commit of its change, `read` is not. */
  readonly effect: 'read' | 'write'
  readonly params: ParamsSchema<unknown>
  readonly result: Schema<unknown>
  /** Reads the parameters and runs. The caller has been admitted by dispatch. */
  run(params: Params | undefined, caller: Caller | AnonymousCaller, services: Services): Maybe<unknown>
}

/** A row as it is written down. */
export interface Row<A extends Access, P, R> {
  readonly name: string
  readonly summary: string
  readonly access: A
  readonly effect: 'read' | 'write'
  readonly params: ParamsSchema<P>
  readonly result: Schema<R>
  readonly handler: (
    params: P,
    caller: A extends 'local' ? LocalCaller : TokenCaller,
    services: Services,
  ) => Maybe<R | Verbatim>
}

/** A row with its types checked: parameters and result are drawn from the schemas, the caller from the access. */
export function method<A extends Access, P, R>({ handler, ...row }: Row<A, P, R>): Method {
  return {
    ...row,
    run(params, caller, services) {
      type Admitted = Parameters<typeof handler>[1]
      return handler(row.params.read(byName(params, row.params), '/'), caller as Admitted, services)
    },
  }
}

/** Parameters by position become parameters by name, in the order of the row (JSON-RPC 2.0 section 4.2). */
function byName(params: Params | undefined, schema: ParamsSchema<unknown>): unknown {
  if (params === undefined) return {}
  if (!Array.isArray(params) || schema.fields === undefined) return params
  const names = Object.keys(schema.fields)
  if (params.length > names.length) throw invalidParameter('/', `unexpected parameter "${names.length + 1}"`)
  return Object.fromEntries(params.map((value, index) => [names[index], value]))
}
