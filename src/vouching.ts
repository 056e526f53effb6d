import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { canAskLoopback } from './linux/loopback.ts'
import { canAskUnix } from './linux/peer.ts'
import type { Vouching } from './methods/method.ts'

export function vouching({ listen }: Config): Vouching {
  return {
    unix: canAskUnix() ? 'kernel' : 'file mode',
    tcp: !listen.loopback_mint ? 'closed' : canAskLoopback() ? 'kernel' : 'nobody',
  }
}

export function reportVouching({ unix, tcp }: Vouching, log: Logger): void {
  if (unix === 'file mode')
    log.warn('the kernel does not tell who connects to the Unix socket: whoever may open it may mint')
  if (tcp === 'nobody') log.warn('the kernel does not tell who connects over TCP: only the Unix socket mints')
}
