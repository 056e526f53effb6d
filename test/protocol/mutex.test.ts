import assert from 'node:assert/strict'
import { once } from 'node:events'
import { it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { mutexMemory } from '../../src/protocol/mutex.ts'
import { ROOT } from '../support/daemon.ts'

const THREADS = 3
const TURNS = 30_000

/** Reads a number, and writes it again with one more: two at the same time would count once. */
const COUNT = `
  const { workerData } = require('node:worker_threads')
  import(workerData.module).then(({ Mutex }) => {
    const mutex = new Mutex(workerData.mutex)
    const count = new Int32Array(workerData.count)
    for (let turn = 0; turn < ${TURNS}; turn++) mutex.run(() => { count[0] = count[0] + 1 })
  })`

it('a mutex lets one thread in at a time', async () => {
  const count = new SharedArrayBuffer(4)
  const module = `file://${ROOT}dist/protocol/mutex.js`
  const workerData = { module, mutex: mutexMemory(), count }
  const threads = Array.from({ length: THREADS }, () => new Worker(COUNT, { eval: true, workerData }))
  for (const [code] of await Promise.all(threads.map((thread) => once(thread, 'exit')))) assert.equal(code, 0)
  assert.equal(new Int32Array(count)[0], THREADS * TURNS)
})
