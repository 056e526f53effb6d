import { Command } from 'commander'
import type { ClockReset } from '../methods/method.ts'
import { type SessionOptions, session, withSession } from './session.ts'
import { print, printJson, wantsJson } from './terminal.ts'

export function clockCommand(): Command {
  const reset = withSession(new Command('reset'))
    .description('Believe the wall clock again, after one that was far ahead had been believed for good.')
    .action(async (options: SessionOptions) => {
      const outcome = (await session(options, 'postern clock reset', (call) =>
        call('clock.reset', {}),
      )) as ClockReset
      if (wantsJson(options)) printJson(outcome)
      else print(`It was ${time(outcome.before)}, and is ${time(outcome.now)} from now on.`)
    })
  return new Command('clock').description('Look after what time the daemon believes it is.').addCommand(reset)
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
