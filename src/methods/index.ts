import { auditGet } from './audit.ts'
import { createApiToken, revokeApiToken, whoAmI } from './auth.ts'
import type { Method } from './method.ts'
import { rpcDiscover, systemInfo } from './system.ts'

/** The table: all that may be asked. Adding a method is adding a row. */
export const METHODS: readonly Method[] = [
  createApiToken,
  whoAmI,
  revokeApiToken,
  auditGet,
  systemInfo,
  rpcDiscover,
]
