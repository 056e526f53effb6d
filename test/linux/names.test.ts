import assert from 'node:assert/strict'
import { once } from 'node:events'
import { it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { mutexMemory } from '../../src/protocol/mutex.ts'
import { ROOT } from '../support/daemon.ts'

const LOOKUPS = 5_000
/** Debian's own users, which every installation has (base-passwd). */
const USERS = [
  ['root', 0],
  ['daemon', 1],
  ['games', 5],
] as const

const LOOK_UP = `
  const { workerData } = require('node:worker_threads')
  import(workerData.module).then(({ shareNames, uidOf, userNameOf }) => {
    shareNames(workerData.mutex)
    const [name, uid] = workerData.user
    for (let n = 0; n < ${LOOKUPS}; n++)
      if (uidOf(name) !== uid || userNameOf(uid) !== name) process.exit(3)
  })`

it('threads that look up users at the same time are each told of the one they asked for', async () => {
  const module = `file://${ROOT}dist/linux/names.js`
  const mutex = mutexMemory()
  const threads = USERS.map(
    (user) => new Worker(LOOK_UP, { eval: true, workerData: { module, mutex, user } }),
  )
  for (const [code] of await Promise.all(threads.map((thread) => once(thread, 'exit')))) assert.equal(code, 0)
})
