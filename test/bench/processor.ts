import { readdirSync, readFileSync } from 'node:fs'

/** Milliseconds of processor time that a process has used, all its threads together. */
export function processorTime(pid: number): number {
  let nanoseconds = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const [used = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')
    nanoseconds += Number(used)
  }
  return nanoseconds / 1e6
}
