import { setTimeout as pause } from 'node:timers/promises'
import { ok } from '../support/lives.ts'
import { reload } from '../support/reload.ts'
import type { Hand } from './careers.ts'

/** What the sweeper, and what the auditor cut off, was seen to do. */
export interface Housekeeping {
  sweeps: number
  cuts: number
  reloads: number
  backups: number
}

interface AuditLine {
  readonly seq: number
  readonly at: number
  readonly checkpoint?: { readonly cut: { readonly through: number } | null }
}

/** A cycle: a backup from beginning to end, a signed checkpoint, a reload with other values, a look at what was tidied up. */
export async function keepHouse(
  hand: Hand,
  configs: readonly string[],
  everyMs: number,
  going: () => boolean,
): Promise<Housekeeping> {
  const { daemon, admin, register } = hand
  const kept = { sweeps: 0, cuts: 0, reloads: 0, backups: 0 }
  const newest = { sweep: 0, cut: 0 }
  for (let round = 0; going(); round++) {
    await pause(everyMs)
    try {
      await backUp(hand)
      kept.backups++
      await ok(daemon, 'audit.checkpoint', {}, admin)
      const outcome = await reload(daemon, configs[round % configs.length])
      if (outcome === 'taken') kept.reloads++
      else register.complain('a configuration is refused')
      const last = await look(hand)
      if (last.sweep > newest.sweep) kept.sweeps++
      if (last.cut > newest.cut) kept.cuts++
      Object.assign(newest, last)
    } catch (error) {
      register.complain(`keeping house: ${(error as Error).message}`)
    }
  }
  return kept
}

async function backUp({ daemon, admin }: Hand): Promise<void> {
  const { backup } = await ok<{ backup: string }>(daemon, 'backup.begin', {}, admin)
  let from: string | null = ''
  while (from !== null) {
    const page: { next: string | null } = await ok(daemon, 'backup.read', { backup, from }, admin)
    from = page.next
  }
  await ok(daemon, 'backup.end', { backup }, admin)
}

/** The newest line about a sweep, and the newest that was cut off. */
async function look({ daemon, admin }: Hand): Promise<{ sweep: number; cut: number }> {
  const newest = (event: string) => ok<AuditLine[]>(daemon, 'audit.get', { event, limit: 1 }, admin)
  const [sweep] = await newest('token.sweep')
  const [checkpoint] = await newest('audit.checkpoint')
  return { sweep: sweep?.seq ?? 0, cut: checkpoint?.checkpoint?.cut?.through ?? 0 }
}
