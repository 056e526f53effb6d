import type { Logger } from 'pino'
import { announce } from './announcement.ts'
import { AccessBoard } from './auth/access-board.ts'
import { Admission, type UsePolicy } from './auth/admission.ts'
import { AuditKey } from './auth/audit-chain.ts'
import { AuditLog } from './auth/audit-log.ts'
import { AUDIT_KEY_PURPOSE, Auditor } from './auth/auditor.ts'
import { Backups } from './auth/backups.ts'
import type { RateKeeper } from './auth/buckets.ts'
import { Endings } from './auth/endings.ts'
import { Enlistment } from './auth/enlistment.ts'
import { Explainer } from './auth/explanation.ts'
import { Inspection } from './auth/inspection.ts'
import { Configurations } from './auth/jwt/configurations.ts'
import { Issuer } from './auth/jwt/issuer.ts'
import { PersonalTokens } from './auth/jwt/personal-tokens.ts'
import { SEAL_PURPOSE, Seal } from './auth/jwt/seal.ts'
import { SignIn } from './auth/jwt/sign-in.ts'
import { LastAccess } from './auth/last-access.ts'
import { LateUses } from './auth/late-uses.ts'
import { Ledger } from './auth/ledger.ts'
import { MassRevocation } from './auth/mass-revocation.ts'
import { Pepper } from './auth/secret.ts'
import { TokenCounts } from './auth/token-counts.ts'
import { TokenGet } from './auth/token-get.ts'
import { TokenObjects } from './auth/token-objects.ts'
import { TokenRenewal } from './auth/token-renewal.ts'
import { Tokens } from './auth/tokens.ts'
import { UserObjects } from './auth/user-objects.ts'
import { Users } from './auth/users.ts'
import { Verifier } from './auth/verifier.ts'
import { Watches } from './auth/watches.ts'
import { WishRefusals } from './auth/wish-refusals.ts'
import type { Clock, TimeSource } from './store/clock.ts'
import type { OffsetMemory } from './store/clock-offset.ts'
import type { StateDirectory } from './store/directory.ts'
import { fingerprint } from './store/format.ts'
import { openClock } from './timekeeping.ts'

/** Everything about tokens and users on one store: what answers a call, whoever makes it. */
export interface Authority {
  readonly clock: Clock
  readonly ledger: Ledger
  readonly users: Users
  readonly verifier: Verifier
  readonly lastAccess: LastAccess
  readonly admission: Admission
  readonly tokens: Tokens
  readonly tokenCounts: TokenCounts
  readonly wishRefusals: WishRefusals
  readonly lateUses: LateUses
  readonly tokenObjects: TokenObjects
  readonly renewal: TokenRenewal
  readonly tokenGet: TokenGet
  readonly userObjects: UserObjects
  readonly massRevocation: MassRevocation
  readonly explainer: Explainer
  readonly watches: Watches
  readonly configurations: Configurations
  readonly issuer: Issuer
  readonly personalTokens: PersonalTokens
  readonly signIn: SignIn
  readonly endings: Endings
  readonly audit: AuditLog
  readonly auditor: Auditor
  readonly backups: Backups
  /** A look at everything, as it is now; close it. */
  inspect(): { readonly inspection: Inspection; close(): Promise<void> }
}

export interface AuthorityOptions {
  /** Verified tokens kept in memory. */
  readonly cacheSize: number
  readonly log: Logger
  readonly time: TimeSource
  readonly policy: () => UsePolicy
  readonly shared?: SharedAuthority
}

/** What the authorities of several threads know together; each of its own where left out. */
export interface SharedAuthority {
  readonly clock?: OffsetMemory | undefined
  /** Last access of tokens, and of personal signed ones. */
  readonly access?: SharedArrayBuffer | undefined
  readonly personalAccess?: SharedArrayBuffer | undefined
  readonly rates?: RateKeeper | undefined
  readonly failures?: RateKeeper | undefined
}

export async function openAuthority(
  { store, pepper: key }: Pick<StateDirectory, 'store' | 'pepper'>,
  { cacheSize, log, time, policy, shared = {} }: AuthorityOptions,
): Promise<Authority> {
  const pepper = new Pepper(key)
  const clock = await openClock(store, log, time, shared.clock)
  const ledger = new Ledger(store, clock, (event) => announce(event, log))
  const users = await Users.open(store, ledger)
  const { rates } = shared
  const lastAccess = new LastAccess(store, ledger, clock, boardOn(shared.access))
  const admission = new Admission({ store, ledger, clock, lastAccess, users, policy, rates })
  const tokens = new Tokens({ store, ledger, clock, users, pepper })
  const tokenObjects = new TokenObjects({ store, ledger, clock, users, tokens, admission })
  const userObjects = new UserObjects({ store, ledger, clock, users, tokens: tokenObjects })
  const seal = new Seal(Pepper.derive(key, SEAL_PURPOSE))
  const configurations = await new Configurations({ store, ledger, clock, seal }).open()
  const issuer = new Issuer({ store, configurations, users, ledger, clock })
  const board = boardOn(shared.personalAccess)
  const personalTokens = new PersonalTokens({ store, ledger, clock, configurations, issuer, board })
  const enlistment = new Enlistment(store, ledger)
  const signIn = new SignIn({ store, configurations, personal: personalTokens, users, enlistment, clock })
  const verifier = new Verifier({ store, pepper, clock, users, cacheSize, signIn })
  const audit = new AuditLog(store)
  const auditKey = new AuditKey(Pepper.derive(key, AUDIT_KEY_PURPOSE))
  return {
    clock,
    ledger,
    users,
    verifier,
    lastAccess,
    admission,
    tokens,
    tokenCounts: new TokenCounts(store, clock),
    wishRefusals: new WishRefusals(ledger, clock),
    lateUses: new LateUses(ledger, clock, log),
    tokenObjects,
    renewal: new TokenRenewal({ store, ledger, clock, pepper, users, admission }),
    massRevocation: new MassRevocation(store, tokens, personalTokens),
    explainer: new Explainer({ store, pepper, clock, users, admission, verifier }),
    watches: new Watches(audit, store),
    endings: new Endings({ store, ledger, clock, lastAccess, admission }),
    tokenGet: new TokenGet({ store, pepper, clock, lastAccess, users }),
    userObjects,
    configurations,
    issuer,
    personalTokens,
    signIn,
    audit,
    auditor: new Auditor({ ledger, log: audit, clock, key: auditKey }),
    backups: new Backups(store, fingerprint(key)),
    inspect() {
      const snapshot = store.snapshot()
      const inspection = new Inspection(snapshot, auditKey.publicKey)
      return { inspection, close: () => snapshot.close() }
    },
  }
}

function boardOn(memory: SharedArrayBuffer | undefined): AccessBoard | undefined {
  return memory && new AccessBoard(memory)
}
