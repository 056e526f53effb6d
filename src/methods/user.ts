import { queryFields } from '../auth/query-params.ts'
import { USER_FIELDS, type UserChange, type UserDraft, type UserQueryParams } from '../auth/user-objects.ts'
import { filled, list, looseInteger, nullable, objects, unique, word } from '../protocol/loose.ts'
import { described, id, object, optional, shape, text } from '../protocol/schema.ts'
import { type Method, method } from './method.ts'
import { byName } from './token.ts'

const idResult = shape<{ userids: string[] }>({
  type: 'object',
  properties: { userids: { type: 'array', items: { type: 'string' } } },
})

const members = () => ({
  name: optional(text({ max: 100 })),
  surname: optional(text({ max: 100 })),
  roleid: optional(described(looseInteger({ min: 1, max: 3 }), '1 user, 2 admin, 3 superadmin.')),
  type: optional(described(word(['user', 'admin', 'superadmin']), 'The same as a word.')),
  status: optional(described(looseInteger({ min: 0, max: 1 }), '0 enabled, 1 disabled.')),
})

const userCreate = method({
  name: 'user.create',
  summary: 'Create users, who own tokens.',
  access: 'superadmin',
  effect: 'write',
  params: objects<UserDraft>(object({ username: text({ min: 1, max: 100 }), ...members() })),
  result: idResult,
  handler: async (drafts, caller, { userObjects }) => ({ userids: await userObjects.create(drafts, caller) }),
})

const userUpdate = method({
  name: 'user.update',
  summary: 'Change users. Disabling one stops their tokens at once.',
  access: 'superadmin',
  effect: 'write',
  params: objects<UserChange>(
    object({ userid: id(), username: optional(text({ min: 1, max: 100 })), ...members() }),
  ),
  result: idResult,
  handler: async (changes, caller, { userObjects }) => ({
    userids: await userObjects.update(changes, caller),
  }),
})

const userDelete = method({
  name: 'user.delete',
  summary: 'Delete users and the tokens they own.',
  access: 'superadmin',
  effect: 'write',
  params: filled(unique(list(id()))),
  result: idResult,
  handler: async (ids, caller, { userObjects }) => ({ userids: await userObjects.delete(ids, caller) }),
})

const userGet = method({
  name: 'user.get',
  summary: 'Find users; plain users and admins find themselves only.',
  access: 'user',
  effect: 'read',
  params: byName<UserQueryParams>(
    object({
      userids: optional(described(nullable(list(id(), { single: true })), 'Only these.')),
      ...queryFields(USER_FIELDS),
    }),
  ),
  result: shape<unknown>({
    description: 'Objects; a count as string with countOutput; by id with preservekeys.',
  }),
  handler: (params, caller, { userObjects }) => userObjects.get(params, caller),
})

/** The rows of `user.*`, on both paths. */
export const USER_METHODS: readonly Method[] = [userCreate, userGet, userUpdate, userDelete]
