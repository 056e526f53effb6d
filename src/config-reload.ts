import { isDeepStrictEqual } from 'node:util'
import { type Config, deepFreeze } from './config.ts'
import { type RemoteValues, SCHEMA } from './config-schema.ts'
import { TABLE_NAMES } from './config-tables.ts'
import type { Reloaded } from './methods/method.ts'
import { Complaint } from './protocol/complaint.ts'
import { Failure } from './protocol/failures.ts'

export interface Reload {
  /** The new values of what a running daemon takes over, the old ones of the rest. */
  readonly merged: Config
  readonly reloaded: readonly string[]
  readonly needRestart: readonly string[]
}

type Sections = Record<string, Record<string, unknown>>

/** What becomes of a configuration that was changed under a running daemon. */
export function reloadConfig(before: Config, after: Config): Reload {
  const merged = structuredClone(before) as unknown as Sections
  const [old, now] = [before, after] as unknown as [Sections, Sections]
  const changed = { reloaded: [] as string[], needRestart: [] as string[] }
  for (const [section, keys] of Object.entries(SCHEMA)) {
    for (const [key, { reloads }] of Object.entries(keys)) {
      const value = now[section]?.[key]
      if (isDeepStrictEqual(old[section]?.[key], value)) continue
      ;(reloads ? changed.reloaded : changed.needRestart).push(`${section}.${key}`)
      if (reloads) Object.assign(merged[section] as object, { [key]: value })
    }
  }
  for (const table of TABLE_NAMES) {
    if (isDeepStrictEqual(before[table], after[table])) continue
    const reloads =
      !['remote', 'upstream'].includes(table) ||
      (table === 'remote' && isDeepStrictEqual(doorsOf(before.remote), doorsOf(after.remote)))
    ;(reloads ? changed.reloaded : changed.needRestart).push(table)
    if (reloads) Object.assign(merged, { [table]: after[table] })
  }
  return { merged: deepFreeze(merged) as unknown as Config, ...changed }
}

/** What of the remote door is settled when it is opened; certificates and trusted proxies are not. */
function doorsOf(remotes: readonly RemoteValues[]): unknown[] {
  return remotes.map(({ listen, cert, socket_mode, socket_group }) => {
    return { listen, tls: cert !== undefined, socket_mode, socket_group }
  })
}

/** What is wrong with the operator's files is for the superadmin who asked to hear. */
export async function reloadForCaller(reload: () => Promise<Reloaded>): Promise<Reloaded> {
  try {
    return await reload()
  } catch (error) {
    if (!(error instanceof Complaint)) throw error
    const hint = error.hint === undefined ? '' : ` (${error.hint})`
    throw new Failure(
      'conflict',
      `The new configuration is not valid; the old one stays. ${error.message}${hint}`,
    )
  }
}
