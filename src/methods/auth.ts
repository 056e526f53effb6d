import type { Grant, LocalCaller, TokenCaller } from '../auth/caller.ts'
import { KeptWords } from '../auth/kept-words.ts'
import { limitsFrom } from '../auth/limits.ts'
import type { Live } from '../auth/live.ts'
import { granted, type MintWish } from '../auth/operators.ts'
import { refusedObject } from '../auth/tokens.ts'
import { Failure } from '../protocol/failures.ts'
import type { Maybe } from '../protocol/maybe.ts'
import { boolean, described, id, integer, object, optional, shape, text } from '../protocol/schema.ts'
import { Verbatim } from '../protocol/verbatim.ts'
import { limitFields } from './limit-params.ts'
import { method, type Services } from './method.ts'

/** The id of no user. */
const NOBODY = '0'
const MAX_TTL = 4_294_967_295

/** Times are seconds since 1970 with milliseconds as decimals (RFC 7519's NumericDate); null: never. */
const TIME = { type: ['number', 'null'] } as const

export interface WhoAmI {
  tokenid: string
  name: string
  user: { userid: string; username: string }
  type: string
  scopes: readonly string[]
  created: number
  expires: number | null
  last_access: number | null
}

export const createApiToken = method({
  name: 'Auth.CreateApiToken',
  summary: 'Mint a token. Only for callers on this host; a credential is neither needed nor looked at.',
  access: 'local',
  effect: 'write',
  params: object({
    ttl: described(integer({ min: 0, max: MAX_TTL }), 'Lifetime in seconds; 0: without end.'),
    name: optional(
      described(text({ min: 1, max: 64 }), 'Unique among the tokens of its user; made up where left out.'),
    ),
    description: optional(described(text({ max: 65_535 }), 'For people.')),
    replace: optional(described(boolean(), 'Revoke the token that has this name now, in the same commit.')),
    userid: optional(described(id(), 'The owner; Admin where neither this nor username is given.')),
    username: optional(described(text({ min: 1, max: 100 }), 'The owner by name.')),
    ...limitFields,
  }),
  result: shape<string>({ type: 'string', description: "The token's secret. It is shown this once." }),
  async handler(params, caller, { tokens, users, wishRefusals, admission }) {
    const { ttl, name, description, replace, metadata, userid, username } = params
    const named = username === undefined ? userid : await nameOwner(userid, username, users, caller.grant)
    const wish = { ttl, userid: named, scopes: params.scopes }
    const { userid: user, scopes } = await grantOrRecord(wish, caller, wishRefusals)
    if (user !== undefined && users.find(user) === undefined) notAvailable(`ID "${user}"`)
    const limits = limitsFrom(params)
    admission.refuseShortIdle(limits)
    const request = { ttl, name, description, replace, metadata, user, scopes, limits }
    const { secret } = await tokens.mint(request, caller)
    return secret.reveal()
  },
})

/** An operator who asks for more than their rule allows is a line in the audit log. */
function grantOrRecord(
  wish: MintWish,
  caller: LocalCaller,
  refusals: Services['wishRefusals'],
): Maybe<ReturnType<typeof granted>> {
  try {
    return granted(wish, caller.grant)
  } catch (thrown) {
    return refusals.record(wish, caller).then(() => Promise.reject(thrown))
  }
}

/** The id of the owner who was named. */
async function nameOwner(
  userid: string | undefined,
  username: string,
  users: Services['users'],
  grant: Grant,
): Promise<string> {
  if (userid !== undefined)
    throw new Failure('invalid_params', 'Name the owner by userid or by username, not by both.')
  const user = await users.findByName(username)
  // Who may mint for one user alone is not told which others there are.
  return user?.id ?? (grant.userid === undefined ? notAvailable(`username "${username}"`) : NOBODY)
}

function notAvailable(which: string): never {
  throw new Failure('invalid_params', `User with ${which} is not available.`)
}

export const whoAmI = method({
  name: 'Auth.WhoAmI',
  summary: 'The token that makes this call, and its user.',
  access: 'user',
  effect: 'read',
  params: object({}),
  result: shape<WhoAmI>({
    type: 'object',
    properties: {
      tokenid: { type: 'string' },
      name: { type: 'string' },
      user: { type: 'object', properties: { userid: { type: 'string' }, username: { type: 'string' } } },
      type: { enum: ['user', 'admin', 'superadmin'] },
      scopes: { type: 'array', items: { type: 'string' } },
      created: { type: 'number', description: 'Seconds since 1970, with milliseconds as decimals.' },
      expires: { ...TIME, description: 'Likewise; null: never.' },
      last_access: { ...TIME, description: 'Likewise.' },
    },
  }),
  handler(_params, caller) {
    const last = caller.live.signed === undefined ? seconds(caller.at) : null
    return new Verbatim(`${identities.of(caller)},"last_access":${last}}`)
  },
})

/** What of WhoAmI changes only when a record does: open at its end. */
const identities = new KeptWords(({ token, user }) => {
  const identity: Omit<WhoAmI, 'last_access'> = {
    tokenid: token.id,
    name: token.name,
    user: { userid: user.id, username: user.username },
    type: user.type,
    scopes: token.scopes,
    created: seconds(token.created),
    expires: token.expires === null ? null : seconds(token.expires),
  }
  return JSON.stringify(identity).slice(0, -1)
})

export const revokeApiToken = method({
  name: 'Auth.RevokeApiToken',
  summary:
    "End a token at once: one's own (the calling one where no id is given), or anybody's for a superadmin.",
  access: 'user',
  effect: 'write',
  params: object({
    tokenid: optional(described(id(), 'Left out: the token that makes this call.')),
    token: optional(
      described(text({ min: 1, max: 8_192 }), 'Its secret instead: whoever holds a token may end it.'),
    ),
  }),
  result: shape<boolean>({ const: true, description: 'Given again for a token that is revoked already.' }),
  async handler({ tokenid = undefined, token }, caller, { tokens, verifier, personalTokens }) {
    if (token !== undefined) return revokeShown(token, tokenid, caller, { tokens, verifier, personalTokens })
    if (tokenid === undefined && caller.live.signed !== undefined)
      return revokeSigned(caller.live, caller, personalTokens)
    const target = tokenid ?? caller.token.id
    await refuseForeign(target, caller, tokens)
    await tokens.revoke(target, caller, target === caller.token.id ? 'by itself' : 'by request')
    return true
  },
})

/** Of signed tokens only those that users sign for themselves are known one by one. */
async function revokeSigned(
  { signed }: Live,
  caller: TokenCaller,
  personal: Services['personalTokens'],
): Promise<true> {
  const known = signed?.jti !== undefined && (await personal.recordOf(signed.jti)) !== undefined
  if (!known || signed?.jti === undefined)
    throw new Failure(
      'forbidden',
      'A signed token ends with its time, or with its configuration: jwt.delete.',
    )
  await personal.revoke(signed.jti, caller, true)
  return true
}

/** One that is not valid is refused as one that is not there. */
async function revokeShown(
  token: string,
  tokenid: string | undefined,
  caller: TokenCaller,
  { tokens, verifier, personalTokens }: Pick<Services, 'tokens' | 'verifier' | 'personalTokens'>,
): Promise<true> {
  if (tokenid !== undefined)
    throw new Failure('invalid_params', 'Name the token by tokenid or by token, not by both.')
  const verified = await verifier.look(token)
  if (verified === undefined) throw refusedObject()
  const { live } = verified
  if (live.signed !== undefined) return revokeSigned(live, caller, personalTokens)
  await tokens.revoke(live.record.id, caller, 'by whoever holds it')
  return true
}

/** Unknown and forbidden ids are answered alike, so that nobody can find out which ids exist. */
async function refuseForeign(target: string, caller: TokenCaller, tokens: Services['tokens']): Promise<void> {
  const record = await tokens.find(target)
  if (record?.user === caller.user.id || (record !== undefined && caller.user.type === 'superadmin')) return
  throw refusedObject()
}

function seconds(milliseconds: number): number {
  return milliseconds / 1000
}
