import { RANK } from '../auth/caller.ts'
import type { UserRecord } from '../auth/records.ts'
import { tokenRefusal } from '../auth/zabbix-auth.ts'
import { Failure } from '../protocol/failures.ts'
import { invalidParameter, object, optional, type Schema, shape, text } from '../protocol/schema.ts'
import { type Method, method } from './method.ts'
import { TOKEN_METHODS } from './token.ts'
import { USER_METHODS } from './user.ts'

/** The release whose semantics are followed; its clients send the token in a header. */
const ZABBIX_VERSION = '7.2.5'

function nothing(): Schema<object> {
  return {
    json: { type: 'array', maxItems: 0 },
    read(value, path) {
      if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
        throw invalidParameter(path, 'should be empty')
      }
      return {}
    },
  }
}

const apiinfoVersion = method({
  name: 'apiinfo.version',
  summary: 'The version of the API that is spoken here.',
  access: 'user',
  effect: 'read',
  params: nothing(),
  result: shape<string>({ type: 'string' }),
  handler: () => ZABBIX_VERSION,
})

const checkAuthentication = method({
  name: 'user.checkAuthentication',
  summary: 'Whose token it is that the caller brings along in the parameters.',
  access: 'user',
  effect: 'read',
  params: object({
    sessionid: optional(text({ max: 255 })),
    token: optional(text({ max: 255 })),
    extend: optional(shape<unknown>({})),
  }),
  result: shape<object>({ type: 'object' }),
  async handler({ sessionid, token }, { address }, { verifier, admission, lastAccess }) {
    if ((sessionid === undefined) === (token === undefined)) {
      throw new Failure('invalid_params', 'Session ID or token is expected.')
    }
    if (token === undefined) throw new Failure('invalid_params', 'Session terminated, re-login, please.')
    const verified = await verifier.look(token)
    if (verified === undefined) throw await tokenRefusal(verifier, token, 'token')
    const { live } = verified
    // To ask is no use; but what may not be used from here, or not now, is nobody's.
    if ((await admission.obstacle(live.record, address)) !== undefined)
      throw new Failure('invalid_params', 'Not authorized.')
    if (live.signed === undefined) lastAccess.touch(live)
    return profileOf(verified.user, address)
  },
})

/** A user as Zabbix's clients expect it; what there is no place for here has Zabbix's default. */
function profileOf({ id, username, name, surname, type }: UserRecord, userip: string): object {
  return {
    userid: id,
    username,
    name,
    surname,
    url: '',
    autologin: '0',
    autologout: '15m',
    lang: 'default',
    refresh: '30s',
    theme: 'default',
    attempt_failed: '0',
    attempt_ip: '',
    attempt_clock: '0',
    rows_per_page: '50',
    timezone: 'default',
    roleid: String(RANK[type]),
    userip,
    type: RANK[type],
    debug_mode: 0,
    gui_access: 0,
  }
}

/** What answers on the Zabbix path; the last two on that path only. */
export const ZABBIX_METHODS: readonly Method[] = [
  ...TOKEN_METHODS,
  ...USER_METHODS,
  apiinfoVersion,
  checkAuthentication,
]
