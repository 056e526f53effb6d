import { join } from 'node:path'
import { startBare } from '../../support/bare.ts'
import { type Daemon, type Scope, startDaemon, temporaryDirectory } from '../../support/daemon.ts'
import { http, mint } from '../../support/talk.ts'
import type { Bench, Row } from '../figure.ts'
import { type Contender, Rounds } from '../paired.ts'
import { seedDaemon } from '../seeding.ts'
import { elsewhere, type Filled, SIZES, type Size, tokensIn } from './stores.ts'

export const startTime = (size: Size) => `exec to the first answer, ${tokensIn(size)}`
export const startAgainstEmpty = (size: Size) => `${startTime(size)}, against an empty store`
export const EMPTY_AGAINST_BARE = 'exec to the first answer, empty store, against bare node:http'

const WHO_AM_I = '{"jsonrpc":"2.0","method":"Auth.WhoAmI","id":1}'

/** Tokens that ended long ago and have not been swept yet. */
const EXPIRED = { full: SIZES[1], long: SIZES[2] } as const
export const expiredAgainstEmpty = (size: Size) =>
  `exec to the first answer, ${tokensIn(size)} to be swept, against an empty store`
export const EXPIRED_ROWS = Object.values(EXPIRED).map(expiredAgainstEmpty)

/** Starts daemons over stores of every size, one after the other, and bare node:http. */
export async function measureStarts(bench: Bench, stores: readonly Filled[]): Promise<Row[]> {
  const waiting = await withExpired(bench)
  const contenders: Contender[] = [
    startingBare(),
    starting('empty', await emptyStore(bench.scope)),
    ...stores.map(({ size, directory, tokens }) =>
      starting(String(size), { directory, token: tokens.secret }),
    ),
    ...(waiting === undefined ? [] : [starting('expired', waiting.place)]),
  ]
  // The first start on a store that was just filled, restored or copied looks at each of its tables, which takes some
  // milliseconds for each megabyte, once: that is the warm-up's.
  const rounds = await Rounds.run(contenders, { ...bench.rounds(5), warmUps: 1 })
  const ratio = (name: string, one: string, other: string): Row => {
    return { name, unit: 'ratio', value: rounds.ratio(one, other, 'ms') }
  }
  const time = (name: string, who: string): Row => {
    return { name, unit: 'ms', value: rounds.spread(who, 'ms') }
  }
  const sizes = stores.map(({ size }) => size)
  const told = [
    ratio(EMPTY_AGAINST_BARE, 'empty', 'bare'),
    ...sizes.map((size) => ratio(startAgainstEmpty(size), String(size), 'empty')),
    ...(waiting === undefined ? [] : [ratio(expiredAgainstEmpty(waiting.size), 'expired', 'empty')]),
    time('exec to the first answer, bare node:http', 'bare'),
    time('exec to the first answer, empty store', 'empty'),
    ...sizes.map((size) => time(startTime(size), String(size))),
  ]
  return [...told, ...omissions(told)]
}

function omissions(told: readonly Row[]): Row[] {
  const names = new Set(told.map(({ name }) => name))
  const rows = [
    ...SIZES.map((size) => ({ name: startAgainstEmpty(size), omitted: elsewhere(size) })),
    ...(['full', 'long'] as const).map((form) => ({
      name: expiredAgainstEmpty(EXPIRED[form]),
      omitted: `only with --form ${form}`,
    })),
  ]
  return rows.filter(({ name }) => !names.has(name))
}

/** A daemon's folder, and a token that is accepted there. */
interface Place {
  readonly directory: string
  readonly token: string
}

async function emptyStore(scope: Scope): Promise<Place> {
  const daemon = await startDaemon(scope)
  const token = await mint(daemon)
  await daemon.stop()
  return { directory: daemon.directory, token }
}

async function withExpired(bench: Bench): Promise<{ size: Size; place: Place } | undefined> {
  const { form, scope } = bench
  if (form !== 'full' && form !== 'long') return undefined
  const size = EXPIRED[form]
  bench.say(`   filling a store with ${tokensIn(size)} that have ended`)
  const directory = temporaryDirectory(scope)
  const { secret } = await seedDaemon(directory, 1, { expired: size })
  return { size, place: { directory, token: secret } }
}

function starting(name: string, { directory, token }: Place): Contender {
  return timed(name, token, (scope) => startDaemon(scope, { directory }))
}

function startingBare(): Contender {
  return timed('bare', 'nobody looks at it', async (scope) => {
    const socket = join(temporaryDirectory(scope), 'bare.sock')
    const { pid } = await startBare(scope, socket)
    return { socket, port: 0, stop: async () => process.kill(pid) }
  })
}

interface Started extends Pick<Daemon, 'socket' | 'port'> {
  stop(): Promise<unknown>
}

/** Until a call is answered; then it is ended, and nothing is left of it but its folder. */
function timed(name: string, token: string, start: (scope: Scope) => Promise<Started>): Contender {
  const burst = async () => {
    const cleanUps: (() => void)[] = []
    const begun = performance.now()
    const server = await start({ after: (cleanUp) => cleanUps.push(cleanUp) })
    const { status } = await http(server, WHO_AM_I, { token })
    const ms = performance.now() - begun
    if (status !== 200) throw new Error(`${name}: answered ${status}`)
    await server.stop()
    for (const cleanUp of cleanUps.reverse()) cleanUp()
    return { ms }
  }
  return { name, burst }
}
