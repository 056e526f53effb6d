import { isIP } from 'node:net'
import type { TokenCaller } from '../auth/caller.ts'
import type { Explanation, Named } from '../auth/explanation.ts'
import { UNIX_ADDRESS } from '../auth/ranges.ts'
import { refusedObject } from '../auth/tokens.ts'
import { Failure } from '../protocol/failures.ts'
import {
  described,
  id,
  integer,
  invalidParameter,
  object,
  oneOf,
  optional,
  type Schema,
  shape,
  text,
} from '../protocol/schema.ts'
import { type Method, method } from './method.ts'

/** What is ours beside Zabbix's calls: rotation, revocation by filter, explanation and watching. */

/** Seconds: longer than that an old secret is not retired, it is kept. */
const LONGEST_GRACE = 90 * 86_400
const LATEST = 253_402_300_799

const tokenRotate = method({
  name: 'token.rotate',
  summary: 'Make a new secret for a token; the old one is accepted for a while.',
  access: 'user',
  effect: 'write',
  params: object({
    tokenid: described(id(), 'It may be that of the token that makes this call.'),
    grace: optional(
      described(
        integer({ min: 0, max: LONGEST_GRACE }),
        'Seconds for which the old secret is accepted; 0, or left out: it is dead at once.',
      ),
    ),
  }),
  result: shape<{ tokenid: string; token: string }>({
    type: 'object',
    properties: { tokenid: { type: 'string' }, token: { type: 'string' } },
  }),
  handler: ({ tokenid, grace = 0 }, caller, { renewal }) => renewal.rotate(tokenid, grace, caller),
})

const tokenRevoke = method({
  name: 'token.revoke',
  summary: 'End all tokens that fulfil each of the conditions, and the connections that they opened.',
  access: 'superadmin',
  effect: 'write',
  params: object({
    created_before: optional(
      described(integer({ min: 0, max: LATEST }), 'Unix seconds: those that were made before.'),
    ),
    userid: optional(described(id(), 'Those of this owner.')),
    creator_userid: optional(described(id(), 'Those that this user created.')),
    minted_by_uid: optional(
      described(integer({ min: 0, max: 4_294_967_294 }), 'Those that this uid minted.'),
    ),
    minted_on: optional(described(oneOf('unix', 'tcp'), 'Those that were minted through this door.')),
  }),
  result: shape<{ tokens: number; connections: number }>({
    type: 'object',
    properties: {
      tokens: { type: 'integer', description: 'How many were ended.' },
      connections: { type: 'integer', description: 'WebSockets and streams that ended with them.' },
    },
  }),
  async handler(params, caller, { massRevocation, daemon }) {
    if (Object.keys(params).length === 0)
      throw new Failure('invalid_params', 'Say which tokens: created_before 4102444800 means all of them.')
    const { created_before, userid, creator_userid, minted_by_uid, minted_on } = params
    const before = await daemon.endedConnections()
    const filter = {
      createdBefore: created_before === undefined ? undefined : created_before * 1000,
      user: userid,
      creator: creator_userid,
      mintedByUid: minted_by_uid,
      mintedOn: minted_on,
    }
    const tokens = await massRevocation.revoke(filter, caller)
    return { tokens, connections: (await daemon.endedConnections()) - before }
  },
})

function address(): Schema<string> {
  return {
    json: { type: 'string', description: 'An IP address, or "unix".' },
    read(value, path) {
      if (typeof value === 'string' && (isIP(value) > 0 || value === UNIX_ADDRESS)) return value
      throw invalidParameter(path, 'an IP address or "unix" is expected')
    },
  }
}

const tokenExplain = method({
  name: 'token.explain',
  summary: 'Say whether a token may make a call, and which rule decides it, without making the call.',
  access: 'user',
  effect: 'read',
  params: object({
    tokenid: optional(described(id(), 'The token, by its id.')),
    token: optional(described(text({ max: 8_192 }), 'The token itself.')),
    method: described(text({ min: 1, max: 256 }), 'The name of the call.'),
    from: optional(
      described(address(), 'Where it would come from; where this call comes from, if left out.'),
    ),
  }),
  result: shape<Explanation>({
    type: 'object',
    properties: {
      allowed: { type: 'boolean' },
      rule: { type: 'string', description: 'The name of what decides.' },
      reason: { type: 'string' },
    },
  }),
  async handler({ tokenid, token, method: name, from }, caller, { explainer, methods }) {
    if ((tokenid === undefined) === (token === undefined))
      throw new Failure('invalid_params', 'Name the token by tokenid or by token, its secret.')
    const named = await explainer.named({
      ...(tokenid !== undefined && { tokenid }),
      ...(token !== undefined && { token }),
    })
    if (named === undefined && token !== undefined && caller.user.type === 'superadmin')
      return { allowed: false, rule: 'unknown', reason: 'The token is not known.' }
    if (named === undefined || !isOwn(named, caller)) throw refusedObject()
    const row = methods.find((candidate) => candidate.name === name)
    return explainer.explain(named, row, from ?? caller.address)
  },
})

function isOwn({ record }: Named, { user }: TokenCaller): boolean {
  return user.type === 'superadmin' || record.user === user.id
}

const tokenWatch = method({
  name: 'token.watch',
  summary:
    "Stream what happens to tokens, as notifications, over a WebSocket or newline-delimited JSON. One sees one's own; superadmins see all.",
  access: 'user',
  effect: 'read',
  params: object({
    after: optional(
      described(
        integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        'The number of the last event that is known already; 0: all that there are; left out: from now on.',
      ),
    ),
  }),
  result: shape<{ after: number }>({
    type: 'object',
    properties: { after: { type: 'integer', description: 'The events that follow have higher numbers.' } },
  }),
  async handler({ after }, caller, { watches, daemon }) {
    const start = await watches.begin(after, caller)
    daemon.tie(caller)
    return { after: start }
  },
})

export const TOKEN_LIFE_METHODS: readonly Method[] = [tokenRotate, tokenRevoke, tokenExplain, tokenWatch]
