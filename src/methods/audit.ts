import type { AuditLine } from '../auth/audit-log.ts'
import { described, integer, object, optional, shape } from '../protocol/schema.ts'
import { method } from './method.ts'

export const auditGet = method({
  name: 'audit.get',
  summary: 'Lines of the audit log, the newest first.',
  access: 'superadmin',
  effect: 'read',
  params: object({
    limit: optional(described(integer({ min: 1, max: 1000 }), 'How many lines; 100 where left out.')),
    before: optional(
      described(integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), 'Only lines with a lower number.'),
    ),
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
  handler: ({ limit = 100, before = undefined }, _caller, { audit }) => audit.read({ limit, before }),
})
