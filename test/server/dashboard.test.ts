import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { ROOT, startDaemon } from '../support/daemon.ts'
import { call, mint } from '../support/talk.ts'

interface Dashboard {
  readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[]
}

const WORDS = new Set(['sum', 'by', 'rate', 'histogram_quantile', 'outcome', 'method', 'le', 'm', 'state'])

it('the dashboard draws metrics that there are, and all of them', async () => {
  const daemon = await startDaemon({ after })
  await call(daemon, 'Auth.WhoAmI', undefined, { token: await mint(daemon) })
  const { panels } = JSON.parse(
    readFileSync(join(ROOT, 'systemd/grafana-dashboard.json'), 'utf8'),
  ) as Dashboard
  const text = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join(' ')
  const drawn = new Set(
    (text.replace(/"[^"]*"/g, '').match(/[a-z_]+/g) ?? []).filter((word) => !WORDS.has(word)),
  )
  const told = await metrics(daemon.socket)
  const samples = [...told.matchAll(/^([a-z_]+)(?:\{| )/gm)].map(([, name]) => name as string)
  const families = [...told.matchAll(/^# TYPE ([a-z_]+)/gm)].map(([, name]) => name as string)
  const names = new Set([...samples, ...families])
  for (const name of drawn) assert.ok(names.has(name), `${name} is not told`)
  for (const family of families)
    assert.ok(drawn.has(family) || drawn.has(`${family}_bucket`), `${family} is not drawn`)
})

function metrics(socket: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath: socket, path: '/metrics' }, (res) => {
      let text = ''
      res.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      res.on('end', () => resolve(text))
    })
    req.on('error', reject).end()
  })
}
