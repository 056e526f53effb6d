import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startDaemon } from '../../support/daemon.ts'
import { namespaceOf, table } from '../../support/upstreams.ts'

const good = { kind: 'http', url: 'http://127.0.0.1:9/rpc' } as const
const secret = { file: '/run/secret' }

describe('an [[upstream]] that cannot be meant is refused at the start, in plain words', () => {
  const wrong: [what: string, config: string, complaint: RegExp][] = [
    [
      'without a name',
      table(good, { name: undefined }).replace('name = undefined\n', ''),
      /an upstream has a name/,
    ],
    [
      'without a namespace',
      '[[upstream]]\nname = "a"\nurl = "tcp:a:1"\n',
      /an upstream has a name, a namespace and a url/,
    ],
    [
      'without a place',
      '[[upstream]]\nname = "a"\nnamespace = "a."\n',
      /an upstream has a name, a namespace and a url/,
    ],
    ['with a key that there is not', table(good, { password: 'x' }), /upstream\[0\].*password/],
    ...['Auth.', 'token.', 'rpc.', 'system.', 'user.', 'jwt.', 'audit.', 'jwt.personal.'].map(
      (namespace): [string, string, RegExp] => [
        `on our own ${namespace}`,
        table(good, { namespace }),
        /is a method of our own, so .+ is taken\nhint: /,
      ],
    ),
    ...['a', 'a.*.', '.', '*.', 'a b.', 'é.', 'a..', ''].map((namespace): [string, string, RegExp] => [
      `with the namespace "${namespace}"`,
      table(good, { namespace }),
      /upstream\[0\]: (namespace is .+ which is not what names|an upstream has)/,
    ]),
    ...[
      'ftp://127.0.0.1/',
      'http://user:hunter2@127.0.0.1/',
      'http://',
      'tcp:127.0.0.1',
      'tcp:127.0.0.1:0',
      'tcp:127.0.0.1:65536',
      'unix:relative.sock',
      'unix+http:relative.sock',
      'exec:relative',
      'exec:',
      '/run/x.sock',
      '127.0.0.1:80',
    ].map((url): [string, string, RegExp] => [
      `at ${url}`,
      table({ ...good, url }),
      /upstream\[0\]: url is .+ which is not where a service is/,
    ]),
    ...[
      { kind: 'password', ...secret },
      { kind: 'header' },
      { kind: 'header', ...secret, value: 'x' },
      { kind: 'header', file: 7 },
      'header',
    ].map((credential): [string, string, RegExp] => [
      `with the credential ${JSON.stringify(credential)}`,
      table(good, { credential }),
      /upstream\[0\]: credential is .+ which is not a table: kind/,
    ]),
    [
      'with a header that cannot be',
      table(good, { credential: { kind: 'header', name: 'a b', ...secret } }),
      /upstream\[0\]/,
    ],
    ...[
      ['header', 'tcp:127.0.0.1:9'],
      ['basic', 'unix:/run/x.sock'],
      ['cookie-file', 'exec:/bin/cat'],
      ['jwt-hs256', 'tcp:127.0.0.1:9'],
    ].map(([kind, url = '']): [string, string, RegExp] => [
      `with a ${kind}, where there are no headers (${url})`,
      table({ ...good, url }, { credential: { kind, ...secret } }),
      /upstream\[0\]/,
    ]),
    [
      'with methods that are no names',
      table(good, { methods: ['a b'] }),
      /methods is .+ which is not "discover", or a list/,
    ],
    ['with a star for a method', table(good, { methods: ['http.*'] }), /upstream\[0\]/],
    ['with methods outside its namespace', table(good, { methods: ['other.x'] }), /upstream\[0\]/],
    ['without time', table(good, { timeout: '0s' }), /timeout is "0s", which is not a duration above 0/],
    ['with time without a unit', table(good, { timeout: 3 }), /timeout is 3, which is not a duration/],
    ['with no concurrency', table(good, { concurrency: 0 }), /concurrency is 0, which is not a whole number/],
    ['twice by name', table(good) + table(good, { namespace: 'b.' }), /share a name or a namespace/],
    ['twice by namespace', table(good) + table(good, { name: 'b' }), /share a name or a namespace/],
    [
      'within another',
      table(good) + table(good, { name: 'b', namespace: `${namespaceOf('http')}b.` }),
      /share a name or a namespace/,
    ],
  ]
  for (const [what, config, complaint] of wrong) {
    it(what, async (t) => {
      await assert.rejects(startDaemon(t, { config }), ({ message }: Error) => {
        assert.match(message, complaint)
        assert.match(message, /start: postern: .+\n(hint: .+\n)?$/)
        return true
      })
    })
  }
})
