import { auditGet } from './audit.ts'
import { createApiToken, revokeApiToken, whoAmI } from './auth.ts'
import type { Method } from './method.ts'
import { rpcDiscover, systemInfo } from './system.ts'
import { tokenCreate, tokenDelete, tokenGenerate, tokenGet, tokenUpdate } from './token.ts'
import { userCreate, userDelete, userGet, userUpdate } from './user.ts'

/** The table: all that may be asked. Adding a method is adding a row. */
export const METHODS: readonly Method[] = [
  createApiToken,
  whoAmI,
  revokeApiToken,
  tokenCreate,
  tokenGenerate,
  tokenGet,
  tokenUpdate,
  tokenDelete,
  userCreate,
  userGet,
  userUpdate,
  userDelete,
  auditGet,
  systemInfo,
  rpcDiscover,
]
