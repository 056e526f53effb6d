import type { Scope } from './daemon.ts'

/** Some work with clean-ups of its own: what is done thousands of times must not gather them until the end of a test. */
export async function within<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
  const cleanUps: (() => void)[] = []
  try {
    return await work({ after: (cleanUp) => cleanUps.push(cleanUp) })
  } finally {
    for (const cleanUp of cleanUps) cleanUp()
  }
}

/** The same for a program, which may be interrupted: its daemons end with it. Exits with what the work returns. */
export async function asProgram(work: (scope: Scope) => Promise<number>): Promise<never> {
  const cleanUps: (() => void)[] = []
  const end = (code: number): never => {
    for (const cleanUp of cleanUps) cleanUp()
    process.exit(code)
  }
  process.once('SIGINT', () => end(130))
  process.once('SIGTERM', () => end(143))
  try {
    return end(await work({ after: (cleanUp) => cleanUps.push(cleanUp) }))
  } catch (error) {
    process.stdout.write(`${(error as Error).stack}\n`)
    return end(1)
  }
}
