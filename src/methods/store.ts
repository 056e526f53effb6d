import type { BackupPage } from '../auth/backups.ts'
import type { Finding } from '../auth/finding.ts'
import type { Looked } from '../auth/inspection.ts'
import { described, object, optional, shape, text } from '../protocol/schema.ts'
import { method } from './method.ts'

/** Findings beyond so many are counted. */
const MOST_FINDINGS = 1_000

export interface CheckReport {
  looked: Looked
  findings: string[]
  /** How many there are in all. */
  count: number
}

export const storeCheck = method({
  name: 'store.check',
  summary:
    'Look at every record, index and line of the audit log, and say what is wrong. Reads everything there is.',
  access: 'superadmin',
  effect: 'read',
  params: object({}),
  result: shape<CheckReport>({
    type: 'object',
    properties: {
      looked: { type: 'object', description: 'How many tokens, users and lines there are.' },
      findings: { type: 'array', items: { type: 'string' }, maxItems: MOST_FINDINGS },
      count: { type: 'integer', description: 'How many there are in all.' },
    },
  }),
  async handler(_params, _caller, { inspect }) {
    const { inspection, close } = inspect()
    try {
      return await report(inspection)
    } finally {
      await close()
    }
  },
})

/** Everything that is found, up to a limit. */
export async function report(inspection: {
  readonly looked: Looked
  findings(): AsyncIterable<Finding>
}): Promise<CheckReport> {
  const findings: string[] = []
  let count = 0
  for await (const { what } of inspection.findings()) if (++count <= MOST_FINDINGS) findings.push(what)
  return { looked: inspection.looked, findings, count }
}

export interface BackupBegun {
  backup: string
  commit: number
  fingerprint: string
}

const backup = () => described(text({ max: 64 }), 'As backup.begin gave it.')

export const backupBegin = method({
  name: 'backup.begin',
  summary:
    'Hold on to this moment of the store, to be read page by page. It holds no secret, only hashes under the pepper.',
  access: 'superadmin',
  effect: 'read',
  params: object({}),
  result: shape<BackupBegun>({
    type: 'object',
    properties: {
      backup: { type: 'string' },
      commit: { type: 'integer', description: 'The last one in it.' },
    },
  }),
  async handler(_params, _caller, { backups }) {
    const { id, head } = await backups.begin()
    return { backup: id, commit: head.commit, fingerprint: backups.fingerprint }
  },
})

export const backupRead = method({
  name: 'backup.read',
  summary: 'A page of a backup: keys and values.',
  access: 'superadmin',
  effect: 'read',
  params: object({
    backup: backup(),
    from: optional(described(text({ max: 4096 }), 'The last page’s next.')),
  }),
  result: shape<BackupPage>({
    type: 'object',
    properties: {
      entries: { type: 'array', items: { type: 'array' } },
      next: { type: ['string', 'null'], description: 'Null: that was all.' },
    },
  }),
  handler: ({ backup: id, from = '' }, _caller, { backups }) => backups.read(id, from),
})

export const backupEnd = method({
  name: 'backup.end',
  summary: 'Let go of a backup.',
  access: 'superadmin',
  effect: 'read',
  params: object({ backup: backup() }),
  result: shape<boolean>({ const: true }),
  async handler({ backup: id }, _caller, { backups }) {
    await backups.end(id)
    return true
  },
})

export const STORE_METHODS = [storeCheck, backupBegin, backupRead, backupEnd]
