import type { TokenCaller } from '../auth/caller.ts'
import { masked } from '../auth/jwt/configurations.ts'
import type { UserType } from '../auth/records.ts'
import { ALL_METHODS, contains } from '../auth/scopes.ts'
import { isRetiring } from '../auth/standing.ts'
import { refusedObject } from '../auth/tokens.ts'
import { Failure } from '../protocol/failures.ts'
import {
  array,
  described,
  id,
  integer,
  object,
  optional,
  type Schema,
  shape,
  text,
} from '../protocol/schema.ts'
import { type Method, method, type Row } from './method.ts'

/** Datafor's token API: JWTs that outside systems trust, and that are trusted here. */
const LONGEST_SECRET = 8_192
const MOST_NAMES = 100
const MAX_SECONDS = 4_294_967_295

const name = () => text({ min: 1, max: 64 })

/** Any object: its members are read one by one, since forms give texts where JSON gives numbers. */
function fields(description: string): Schema<Record<string, unknown>> {
  return {
    json: { type: 'object', description },
    read(value) {
      if (typeof value === 'object' && value !== null && !Array.isArray(value))
        return value as Record<string, unknown>
      throw new Failure('invalid_params', 'Invalid parameter "/": an object is expected.')
    },
  }
}

/** Whoever may set a secret may sign anybody: a token with bounds of its own must not, nor a secret that has a successor (pitfall 24). */
function refuseBounded({ token, live }: TokenCaller): void {
  const isBounded = token.limits !== undefined || isRetiring(token, live.hash)
  if (contains(token.scopes, ALL_METHODS) && !isBounded) return
  throw new Failure('forbidden', 'This takes a token without bounds: with the scope "*", and no limits.')
}

/** A row for such tokens alone. */
function unbounded<A extends UserType, P, R>(row: Row<A, P, R>): Method {
  const handler: typeof row.handler = (params, caller, services) => {
    refuseBounded(caller as TokenCaller)
    return row.handler(params, caller, services)
  }
  return method({ ...row, handler })
}

const jwtConfigure = unbounded({
  name: 'jwt.configure',
  summary:
    'Agree with an outside system on how JWTs are signed: a new configuration, or another for its name.',
  access: 'superadmin',
  effect: 'write',
  params: fields(
    'name, secret, algorithm, expire, fieldmap, enable, inituser, initroles, self_service, token_name',
  ),
  result: shape<{ warning?: string }>({
    type: 'object',
    properties: { warning: { type: 'string', description: 'What is unwise about it.' } },
  }),
  handler(draft, caller, { configurations, warn }) {
    if (caller.live.signed !== undefined)
      throw new Failure('forbidden', 'A signed token could sign itself another life: call with a token.')
    return configurations.save(draft, caller).then((saved) => {
      if (saved.warning !== undefined) warn(`the configuration ${String(draft.name)}: ${saved.warning}`)
      return saved
    })
  },
})

const jwtList = unbounded({
  name: 'jwt.list',
  summary: 'All configurations, without their secrets.',
  access: 'superadmin',
  effect: 'read',
  params: object({}),
  result: shape<object[]>({ type: 'array', items: { type: 'object' } }),
  handler(_params, _caller, { configurations }) {
    return configurations.all().map(masked)
  },
})

const jwtGet = unbounded({
  name: 'jwt.get',
  summary: 'A configuration, without its secret.',
  access: 'superadmin',
  effect: 'read',
  params: object({ name: name() }),
  result: shape<object>({ type: 'object' }),
  handler({ name }, _caller, { configurations }) {
    const found = configurations.find(name)
    if (found === undefined) throw refusedObject()
    return masked(found)
  },
})

const jwtDelete = unbounded({
  name: 'jwt.delete',
  summary: 'Delete configurations. The tokens that were signed by them are dead at once.',
  access: 'superadmin',
  effect: 'write',
  params: object({ names: array(name(), { max: MOST_NAMES }) }),
  result: shape<boolean>({ const: true }),
  async handler({ names }, caller, { configurations }) {
    return configurations.remove(names, caller)
  },
})

const jwtIssue = unbounded({
  name: 'jwt.issue',
  summary: 'Sign a JWT for an outside system, in the name of a user.',
  access: 'superadmin',
  effect: 'write',
  params: object({
    name: optional(
      described(text({ max: 64 }), 'Of the configuration; without one it is HS256, and this the claim.'),
    ),
    privateKey: optional(
      described(text({ max: LONGEST_SECRET }), 'What to sign with; the stored secret where left out.'),
    ),
    username: optional(text({ max: 100 })),
    payload: optional(fields('username, name, email, and more claims')),
  }),
  result: shape<{ expire: number; token: string }>({
    type: 'object',
    properties: { expire: { type: 'integer', description: 'Seconds.' }, token: { type: 'string' } },
  }),
  handler(request, caller, { issuer }) {
    return issuer.issue(request, caller)
  },
})

const personalConfig = unbounded({
  name: 'jwt.personal.config',
  summary: 'Whether, and from which configurations, one may sign a personal token.',
  access: 'user',
  effect: 'read',
  params: object({}),
  result: shape<object>({ type: 'object' }),
  handler(_params, _caller, { personalTokens }) {
    const offers = personalTokens.offers()
    return {
      enabled: offers.length > 0,
      configs: offers.map(({ name, expire, token_name }) => ({ name, expire, token_name })),
    }
  },
})

const personalIssue = unbounded({
  name: 'jwt.personal.issue',
  summary: 'Sign a personal token: it may do what its user may. It is shown this once.',
  access: 'user',
  effect: 'write',
  params: object({
    name: optional(described(name(), 'Of the configuration; needed where there are several.')),
    label: optional(described(text({ max: 64 }), 'For people; "AI client" where left out.')),
    expire: optional(
      described(integer({ min: 1, max: MAX_SECONDS }), "Seconds; the configuration's at most."),
    ),
  }),
  result: shape<object>({ type: 'object' }),
  handler(request, caller, { personalTokens }) {
    return personalTokens.issue(request, caller)
  },
})

const personalList = unbounded({
  name: 'jwt.personal.list',
  summary:
    "One's own personal tokens, or for superadmins anybody's, the newest first; without the tokens themselves.",
  access: 'user',
  effect: 'read',
  params: object({ userid: optional(described(id(), 'For superadmins: those of this user.')) }),
  result: shape<object[]>({ type: 'array', items: { type: 'object' } }),
  handler({ userid = undefined }, caller, { personalTokens }) {
    const user = userid ?? caller.user.id
    if (user !== caller.user.id && caller.user.type !== 'superadmin') throw refusedObject()
    return personalTokens.list(user)
  },
})

const personalRevoke = unbounded({
  name: 'jwt.personal.revoke',
  summary: "End one of one's own personal tokens at once, or for superadmins anybody's.",
  access: 'user',
  effect: 'write',
  params: object({ jti: text({ min: 1, max: 64 }) }),
  result: shape<boolean>({ const: true }),
  async handler({ jti }, caller, { personalTokens }) {
    await personalTokens.revoke(jti, caller)
    return true
  },
})

export const JWT_METHODS: readonly Method[] = [
  jwtConfigure,
  jwtList,
  jwtGet,
  jwtDelete,
  jwtIssue,
  personalConfig,
  personalIssue,
  personalList,
  personalRevoke,
]
