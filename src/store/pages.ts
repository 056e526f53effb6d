import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Entry, Range, Reader } from './store.ts'

/**
 * A range page by page, with a turn of the event loop between two of them. Each scan starts behind the last key seen:
 * going over keys again that were deleted meanwhile is what makes LevelDB slow. `limit`: entries of a page.
 */
export async function* pages(
  reader: Pick<Reader, 'scan'>,
  { gte: first, lt: end, limit, reverse = false }: Range,
): AsyncGenerator<Entry[]> {
  for (let gte = first, lt = end; ; ) {
    const page = await reader.scan({ gte, lt, limit, reverse })
    const last = page.at(-1)
    if (last === undefined) return
    yield page
    if (page.length < limit) return
    if (reverse) lt = last.key
    else gte = `${last.key}\0`
    await nextTurn()
  }
}
