import { RANK } from '../auth/caller.ts'
import { object, shape, text } from '../protocol/schema.ts'
import { method } from './method.ts'

/** Characters; a signed token may be long. */
const LONGEST = 8_192

/** RFC 7662 section 2.2. */
export interface Introspection {
  active: boolean
  scope?: string
  client_id?: string
  username?: string
  token_type?: 'Bearer'
  exp?: number
  iat?: number
  nbf?: number
  sub?: string
  jti?: string
}

const INACTIVE: Introspection = { active: false }

/**
 * Whoever could ask about any token could try tokens (pitfall 28): a service that is shown tokens asks with that of a user
 * of type admin; anybody else is told about their own token alone.
 */
export const tokenIntrospect = method({
  name: 'token.introspect',
  summary:
    'Whether a token is accepted, and whose it is. Any for admins and superadmins; the calling one for others.',
  access: 'user',
  effect: 'read',
  params: object({ token: text({ min: 1, max: LONGEST }) }),
  result: shape<Introspection>({
    type: 'object',
    description: 'As RFC 7662 has it; nothing but active where it is false.',
    properties: { active: { type: 'boolean' } },
  }),
  async handler({ token }, caller, { verifier, admission }) {
    const verified = await verifier.look(token)
    if (verified === undefined) return INACTIVE
    const { live, user } = verified
    const { record } = live
    if (RANK[caller.user.type] < RANK.admin && live.hash !== caller.live.hash) return INACTIVE
    if ((await admission.obstacle(record, undefined)) !== undefined) return INACTIVE
    const { limits, expires } = record
    return {
      active: true,
      scope: record.scopes.join(' '),
      client_id: record.id,
      username: user.username,
      token_type: 'Bearer',
      sub: user.id,
      jti: record.id,
      iat: seconds(record.created),
      ...(expires !== null && { exp: seconds(expires) }),
      ...(limits?.notBefore !== undefined && { nbf: seconds(limits.notBefore) }),
    } as const
  },
})

function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000)
}
