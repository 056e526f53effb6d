import { queryFields } from '../auth/query-params.ts'
import type { TokenChange, TokenDraft } from '../auth/token-change.ts'
import { tokenFields } from '../auth/token-fields.ts'
import type { TokenQueryParams } from '../auth/token-get.ts'
import { filled, list, looseInteger, nullable, objects, unique } from '../protocol/loose.ts'
import { described, id, object, optional, type Schema, shape, text } from '../protocol/schema.ts'
import { limitFields } from './limit-params.ts'
import { type Method, method } from './method.ts'

/** Zabbix's token API, semantics of 7.2. */
const MAX_IDS = 10_000

const status = () => described(looseInteger({ min: 0, max: 1 }), '0 enabled, 1 disabled.')
const expiresAt = () =>
  described(looseInteger(), 'Unix seconds, the last one in which the token is accepted; 0: never.')
const name = () => text({ min: 1, max: 64 })
const description = () => text({ max: 65_535 })
const tokenIds = () => filled(unique(list(id())))
const idResult = shape<{ tokenids: string[] }>({
  type: 'object',
  properties: { tokenids: { type: 'array', items: { type: 'string' } } },
})

/** By name only: these calls take their parameters as Zabbix does. */
export function byName<T>({ json, read }: Schema<T>): Schema<T> {
  return { json, read }
}

const tokenCreate = method({
  name: 'token.create',
  summary: 'Create tokens. They have no secret, and do not authenticate, until one is generated.',
  access: 'user',
  effect: 'write',
  params: objects<TokenDraft>(
    object({
      name: name(),
      description: optional(description()),
      userid: optional(
        described(id(), "The owner; the caller where left out. Another's takes a superadmin."),
      ),
      status: optional(status()),
      expires_at: optional(expiresAt()),
      ...limitFields,
    }),
  ),
  result: idResult,
  handler: async (drafts, caller, { tokenObjects }) => ({
    tokenids: await tokenObjects.create(drafts, caller),
  }),
})

const tokenGenerate = method({
  name: 'token.generate',
  summary: 'Make new secrets for tokens; the old ones are dead at once. Each secret is shown this once.',
  access: 'user',
  effect: 'write',
  params: tokenIds(),
  result: shape<{ tokenid: string; token: string }[]>({
    type: 'array',
    items: { type: 'object', properties: { tokenid: { type: 'string' }, token: { type: 'string' } } },
  }),
  handler: (ids, caller, { renewal }) => renewal.generate(ids, caller),
})

const tokenUpdate = method({
  name: 'token.update',
  summary: 'Change name, description, status, expiry or bounds of tokens.',
  access: 'user',
  effect: 'write',
  params: objects<TokenChange>(
    object({
      tokenid: id(),
      name: optional(name()),
      description: optional(description()),
      status: optional(status()),
      expires_at: optional(expiresAt()),
      ...limitFields,
    }),
  ),
  result: idResult,
  handler: async (changes, caller, { tokenObjects }) => ({
    tokenids: await tokenObjects.update(changes, caller),
  }),
})

const tokenDelete = method({
  name: 'token.delete',
  summary: 'Delete tokens for good.',
  access: 'user',
  effect: 'write',
  params: tokenIds(),
  result: idResult,
  handler: async (ids, caller, { tokenObjects }) => ({ tokenids: await tokenObjects.delete(ids, caller) }),
})

const ids = (what: string) => optional(described(nullable(list(id(), { single: true, max: MAX_IDS })), what))
const time = (what: string) => optional(described(nullable(looseInteger()), what))

const tokenGet = method({
  name: 'token.get',
  summary: 'Find tokens: by ids, owners, secret, times, filter and search; sorted, limited, or counted.',
  access: 'user',
  effect: 'read',
  params: byName<TokenQueryParams>(
    object({
      tokenids: ids('Only these.'),
      userids: ids('Only those of these owners.'),
      token: optional(described(nullable(text({ max: 64 })), 'Only the one with this secret.')),
      valid_at: time('Only those that are accepted after this Unix second.'),
      expired_at: time('Only those that are not accepted any more after this Unix second.'),
      // The table of fields is the same whoever the users are.
      ...queryFields(tokenFields({ find: () => undefined })),
    }),
  ),
  result: shape<unknown>({
    description: 'Objects; a count as string with countOutput; by id with preservekeys.',
  }),
  handler: (params, caller, { tokenGet }) => tokenGet.get(params, caller),
})

/** The rows of `token.*`, on both paths. */
export const TOKEN_METHODS: readonly Method[] = [
  tokenCreate,
  tokenGenerate,
  tokenGet,
  tokenUpdate,
  tokenDelete,
]
