import { isScope } from '../../auth/scopes.ts'
import type { Verbatim } from '../../protocol/verbatim.ts'

/** Which methods an upstream has; more than that are not listed. */
const MOST = 10_000

type Ask = (method: string, bare: boolean) => Promise<Verbatim>

/** Asks an upstream itself: rpc.discover (OpenRPC), or system.listMethods. Rejects where it answers neither. */
export async function discover(ask: Ask): Promise<string[]> {
  const document = await ask('rpc.discover', false).catch(() => undefined)
  if (document !== undefined) {
    const found = JSON.parse(document.text) as { methods?: { name?: unknown }[] } | null
    const methods = found?.methods
    if (Array.isArray(methods)) return namesIn(methods.map((method) => method?.name))
  }
  // Some ask for their secret here as well, some refuse to see it.
  const list = await ask('system.listMethods', false).catch(() => ask('system.listMethods', true))
  return namesIn(JSON.parse(list.text))
}

/** What a scope can name, and is no pattern itself. */
export function isMethodName(name: unknown): name is string {
  return isScope(name) && !name.endsWith('*')
}

/** The rest could be allowed to nobody. */
function namesIn(list: unknown): string[] {
  if (!Array.isArray(list)) throw new Error('the list of methods is none')
  return list.filter(isMethodName).slice(0, MOST)
}
