import type { ChainedLine, Checkpoint } from '../auth/audit-chain.ts'
import type { AuditLine } from '../auth/audit-log.ts'
import { described, id, integer, object, optional, shape, text } from '../protocol/schema.ts'
import { method } from './method.ts'

/** What the calls of Auth.* are called in the log. */
const EVENTS: Readonly<Record<string, string>> = {
  'Auth.CreateApiToken': 'token.mint',
  'Auth.RevokeApiToken': 'token.revoke',
}

const seq = () => integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const seconds = () => integer({ min: 0, max: 253_402_300_799 })

export const auditGet = method({
  name: 'audit.get',
  summary: 'Lines of the audit log, the newest first; with `after`, the oldest first.',
  access: 'superadmin',
  effect: 'read',
  params: object({
    limit: optional(described(integer({ min: 1, max: 1000 }), 'How many lines; 100 where left out.')),
    before: optional(described(seq(), 'Only lines with a lower number.')),
    after: optional(described(seq(), 'Only lines with a higher number.')),
    since: optional(described(seconds(), 'Unix time, inclusive.')),
    until: optional(described(seconds(), 'Unix time, exclusive.')),
    userid: optional(described(id(), 'Who did it, or about whom it was.')),
    tokenid: optional(described(id(), 'Likewise.')),
    event: optional(described(text({ max: 64 }), 'Such as token.mint; the name of a method will do.')),
  }),
  result: shape<AuditLine[]>({
    type: 'array',
    items: {
      type: 'object',
      properties: {
        seq: { type: 'integer', description: 'Numbered from 1 without gaps.' },
        at: { type: 'integer', description: 'Milliseconds since 1970.' },
        event: { type: 'string' },
        by: { type: 'object' },
      },
    },
  }),
  handler: ({ limit = 100, since, until, userid, tokenid, event, ...range }, _caller, { audit }) =>
    audit.read({
      ...range,
      limit,
      since: since === undefined ? undefined : since * 1000,
      until: until === undefined ? undefined : until * 1000,
      user: userid,
      token: tokenid,
      event: event === undefined ? undefined : (EVENTS[event] ?? event),
    }),
})

/** Small enough that a page of it is a small answer. */
const CHAIN_PAGE = 1000

export const auditExport = method({
  name: 'audit.export',
  summary:
    'Lines of the audit log as they are chained, the oldest first: what is needed to verify it elsewhere.',
  access: 'superadmin',
  effect: 'read',
  params: object({ after: optional(described(seq(), 'Only lines with a higher number.')) }),
  result: shape<ChainedLine[]>({
    type: 'array',
    maxItems: CHAIN_PAGE,
    items: {
      type: 'object',
      properties: {
        seq: { type: 'integer' },
        hash: {
          type: 'string',
          description: 'SHA-256 of the hash before, a newline, and the line; base64url.',
        },
        line: { type: 'string', description: 'The event as JSON.' },
      },
    },
  }),
  handler: ({ after = 0 }, _caller, { audit }) => audit.chain(after, CHAIN_PAGE),
})

export interface SignedCheckpoint {
  checkpoint: Checkpoint
  public_key: string
}

export const auditCheckpoint = method({
  name: 'audit.checkpoint',
  summary:
    'Sign the audit log as it is now. Kept elsewhere, the answer shows later that nothing of it was touched.',
  access: 'superadmin',
  effect: 'write',
  params: object({}),
  result: shape<SignedCheckpoint>({
    type: 'object',
    properties: {
      checkpoint: {
        type: 'object',
        description: 'Number and hash of the last line, and an Ed25519 signature.',
      },
      public_key: { type: 'string', description: 'PEM.' },
    },
  }),
  handler: async (_params, _caller, { auditor }) => ({
    checkpoint: await auditor.checkpoint(),
    public_key: auditor.publicKey,
  }),
})

export const AUDIT_METHODS = [auditGet, auditExport, auditCheckpoint]
