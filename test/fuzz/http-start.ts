import type { Dice } from './dice.ts'
import type { Spoils } from './http-fields.ts'

interface Where {
  readonly door: 'unix' | 'tcp' | 'remote'
  readonly port: number
}

/** A request line. */
export interface Start {
  readonly line: string
  readonly verb: string
  readonly spoils: Spoils
  readonly mayEnd: boolean
}

/** The usual one, or another verb, target or version. */
export function startLine(dice: Dice, setting: Where): Start {
  if (dice.chance(0.55))
    return { line: 'POST /api/ HTTP/1.1', verb: 'POST', spoils: 'nothing', mayEnd: false }
  const verb = dice.pick([
    'POST',
    'POST',
    'GET',
    'HEAD',
    'PUT',
    'OPTIONS',
    'DELETE',
    'TRACE',
    'QUERY',
    'M-SEARCH',
    'CONNECT',
    'PRI',
    'post',
    'NONE',
    'POST\x00',
    '',
  ])
  const version = dice.chance(0.8)
    ? 'HTTP/1.1'
    : dice.pick([
        'HTTP/1.0',
        'HTTP/0.9',
        'HTTP/1.2',
        'HTTP/2.0',
        'HTTP/1.',
        'http/1.1',
        'HTTP/1.1 ',
        'HTTP/11',
        'ICE/1.0',
        'RTSP/1.0',
        '',
      ])
  const [target, spoils] = anyTarget(dice, setting)
  const usual = verb === 'POST' && version === 'HTTP/1.1'
  return {
    line: `${verb} ${target} ${version}`,
    verb,
    spoils,
    mayEnd: !usual || !/^\/[\w./?=&%-]*$/.test(target) || target.length > 1000,
  }
}

function anyTarget(dice: Dice, { door, port }: Where): [string, Spoils] {
  const foreign: Spoils = door === 'unix' ? 'nothing' : 'minting'
  return dice.pick<[string, Spoils]>([
    ['/api/', 'nothing'],
    ['/api', 'nothing'],
    ['/api/?a=b', 'nothing'],
    ['/api_jsonrpc.php', 'nothing'],
    ['/api_jsonrpc.php', 'nothing'],
    ['/api_jsonrpc.php', 'nothing'],
    ['/api_jsonrpc.php', 'nothing'],
    [`http://localhost:${port}/api/`, 'nothing'],
    ['http://elsewhere.example/api/', foreign],
    [`https://a@localhost:${port}/api/`, foreign],
    ['http:///api/', foreign],
    [`localhost:${port}`, 'everything'],
    ['*', 'everything'],
    ['//api/', 'everything'],
    ['//localhost/api/', 'everything'],
    ['/api/%00', 'everything'],
    ['/%61pi/', 'everything'],
    ['/x/../api/', 'everything'],
    ['/api/..', 'everything'],
    ['/api/?token=x', 'everything'],
    ['/api/?%', 'nothing'],
    ['/api/#part', 'everything'],
    ['/api/\x80\xff', 'everything'],
    ['/api/ x', 'everything'],
    ['/api/\tx', 'everything'],
    ['/api/\x00', 'everything'],
    [`/${'x'.repeat(dice.between(1, 20_000))}`, 'everything'],
    ['', 'everything'],
    ['/healthz', 'everything'],
    ['/metrics', 'everything'],
    ['/auth', 'everything'],
    ['/oauth2/introspect', 'everything'],
    ['/.well-known/oauth-authorization-server', 'everything'],
    ['/plugin/datafor-modeler/api/token/generate', 'everything'],
  ])
}
