import { AUDIT_METHODS } from './audit.ts'
import { createApiToken, revokeApiToken, whoAmI } from './auth.ts'
import { tokenIntrospect } from './introspection.ts'
import { JWT_METHODS } from './jwt.ts'
import type { Method } from './method.ts'
import { STORE_METHODS } from './store.ts'
import { clockReset, rpcDiscover, systemInfo, systemMetrics, systemReload } from './system.ts'
import { TOKEN_METHODS } from './token.ts'
import { TOKEN_LIFE_METHODS } from './token-life.ts'
import { USER_METHODS } from './user.ts'

/** The table: all that may be asked. Adding a method is adding a row. */
export const METHODS: readonly Method[] = [
  createApiToken,
  whoAmI,
  revokeApiToken,
  ...TOKEN_METHODS,
  ...TOKEN_LIFE_METHODS,
  tokenIntrospect,
  ...USER_METHODS,
  ...JWT_METHODS,
  ...AUDIT_METHODS,
  systemInfo,
  systemMetrics,
  systemReload,
  clockReset,
  ...STORE_METHODS,
  rpcDiscover,
]
