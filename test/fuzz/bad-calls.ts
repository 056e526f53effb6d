import type { Dice } from './dice.ts'

/** Tokens that are no good any more, or never were. */
export interface BadTokens {
  readonly expired: string
  readonly revoked: string
  /** Of scopes that name next to nothing. */
  readonly narrow: string
}

/** The text of a call, or of what claims to be one, that is refused: a kind after the other. */
export function badCall(dice: Dice, number: number, tokens: BadTokens): string {
  const call = (method: unknown, params: unknown = {}, id: unknown = number) =>
    JSON.stringify({ jsonrpc: '2.0', method, params, id })
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
  const unknown = `pst_${dice.times(49, () => dice.pick([...letters])).join('')}`
  const kinds = [
    () => `{"jsonrpc":"2.0","method":${number}`,
    () => call(`unknown.${number}`),
    () => call('Auth.WhoAmI', { Token: unknown }),
    () => call('Auth.WhoAmI', { Token: tokens.expired }),
    () => call('Auth.WhoAmI', { Token: tokens.revoked }),
    () => call('Auth.WhoAmI', { Token: `malformed ${number}` }),
    () => call('token.get', { Token: tokens.narrow }),
    () => call(`made.up.${number}`, { Token: tokens.narrow }),
    () => call('Auth.CreateApiToken', { ttl: `x${number}` }),
    () => call('Auth.CreateApiToken', { ttl: 60, userid: `${number}0000` }),
    () => call('Auth.CreateApiToken', { ttl: 60, [`key${number}`]: 1 }),
    () => '['.repeat(100) + ']'.repeat(100),
    () => call('Auth.CreateApiToken', [`x${number}`]),
    () => call('Auth.CreateApiToken', { ttl: -number }),
    () => call('Auth.CreateApiToken'),
    () => '[]',
    () => `[1,{},${call(`unknown.${number}`)}]`,
    () => call(number, number, {}),
    () => call('Auth.WhoAmI', {}, 2 ** 60),
    () => JSON.stringify(`text ${number}`),
  ]
  return (kinds[number % kinds.length] as () => string)()
}
