import type { Command } from 'commander'
import { Complaint } from '../protocol/complaint.ts'
import { readTtl } from './options.ts'
import { readTime } from './times.ts'

/** Options that bound a token. */
export interface LimitOptions {
  scope?: string[]
  maxUses?: string
  idleTtl?: string
  allowIp?: string[]
  rate?: string
  burst?: string
  notBefore?: string
  metadata?: string
}

/** Every command that makes or changes a token takes these; where it changes one, `none` takes a bound away. */
export function withLimits(command: Command): Command {
  return command
    .option(
      '--scope <patterns...>',
      "methods it may call (token.get, aria2.*); all of its user's where left out",
    )
    .option('--max-uses <number>', 'how many calls it may make in all its life')
    .option('--idle-ttl <lifetime>', 'it dies when it is not used for so long: 30m, 7d')
    .option('--allow-ip <ranges...>', 'where it may be used from: 10.0.0.0/8, 2001:db8::/32, unix')
    .option('--rate <number>', 'how many calls a second it may make')
    .option('--burst <number>', 'how many of them at once; as many as a second where left out')
    .option('--not-before <time>', 'when it begins to be valid: 2026-12-24T18:00:00Z, or 2h from now')
    .option('--metadata <json>', 'an object of your own, at most 4 KiB')
}

/** The members of the call; what is not said is left out. */
export function limitParams(options: LimitOptions): Record<string, unknown> {
  const { scope, maxUses, idleTtl, allowIp, rate, burst, notBefore, metadata } = options
  if (burst !== undefined && rate === undefined)
    throw usage('--burst goes with --rate', 'say how many calls a second')
  const params = {
    scopes: scope,
    max_uses: or(maxUses, (text) => whole('--max-uses', text)),
    idle_ttl: or(idleTtl, (text) => readTtl(text, '--idle-ttl')),
    allowed_ips: allowIp?.join() === 'none' ? null : allowIp,
    rate_limit: or(rate, (text) => ({
      per_second: whole('--rate', text),
      ...(burst !== undefined && { burst: whole('--burst', burst) }),
    })),
    not_before: or(notBefore, (text) => readTime('--not-before', text, 'ahead')),
    metadata: or(metadata, readObject),
  }
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined))
}

function or<T>(text: string | undefined, read: (text: string) => T): T | null | undefined {
  return text === undefined ? undefined : text === 'none' ? null : read(text)
}

function whole(option: string, text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text)
  throw usage(`${option} ${text}: not a whole number above 0`)
}

function readObject(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw usage('--metadata: not JSON', `write '{"ticket":"4711"}', say`)
  }
}

function usage(message: string, hint?: string): Complaint {
  return new Complaint(message, hint, { exitCode: 2 })
}
