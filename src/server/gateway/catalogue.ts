import { isScope } from '../../auth/scopes.ts'
import type { Verbatim } from '../../protocol/verbatim.ts'

/** Which methods an upstream has; more than that are not listed. */
const MOST = 10_000

type Ask = (method: string, bare: boolean) => Promise<Verbatim>

/** Asks an upstream itself: rpc.discover (OpenRPC), or system.listMethods. Rejects where it answers neither. */
export async function discover(ask: Ask): Promise<string[]> {
  const document = await ask('rpc.discover', false).catch(() => undefined)
  if (document !== undefined) {
    const { methods } = JSON.parse(document.text) as { methods?: { name?: unknown }[] }
    if (Array.isArray(methods)) return namesIn(methods.map((method) => method?.name))
  }
  // Some ask for their secret here as well, some refuse to see it.
  const list = await ask('system.listMethods', false).catch(() => ask('system.listMethods', true))
  return namesIn(JSON.parse(list.text))
}

/** What can be named by a scope: the rest could be allowed to nobody. */
function namesIn(list: unknown): string[] {
  if (!Array.isArray(list)) throw new Error('the list of methods is none')
  return list.filter((name) => isScope(name) && !name.endsWith('*')).slice(0, MOST)
}
