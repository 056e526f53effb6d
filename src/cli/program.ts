import { Command, type OutputConfiguration } from 'commander'
import { readVersion } from '../version.ts'
import { auditCommand } from './audit.ts'
import { backupCommand } from './backup/command.ts'
import { exportCommand, importCommand } from './backup/exchange.ts'
import { restoreCommand } from './backup/restore.ts'
import { callCommand } from './call.ts'
import { checkCommand } from './check.ts'
import { clockCommand } from './clock.ts'
import { completionCommand } from './completion.ts'
import { configCommand } from './config.ts'
import { installCommand, uninstallCommand } from './install.ts'
import { mintCommand } from './mint.ts'
import { reloadCommand } from './reload.ts'
import { serveCommand } from './serve.ts'
import { statusCommand } from './status.ts'
import { tokenCommand } from './token.ts'
import { userCommand } from './user.ts'

/** The `postern` command: one file of cli/ for each command below it. */
export function createProgram(): Command {
  const program = new Command('postern')
    .description(
      'The token gate of a host: whoever is inside may mint a token; everybody else must show one.',
    )
    .version(readVersion())
  const commands = [
    serveCommand,
    mintCommand,
    callCommand,
    tokenCommand,
    userCommand,
    statusCommand,
    auditCommand,
    reloadCommand,
    checkCommand,
    backupCommand,
    restoreCommand,
    exportCommand,
    importCommand,
    clockCommand,
    configCommand,
    installCommand,
    uninstallCommand,
    completionCommand,
  ]
  for (const command of commands) program.addCommand(command())
  return settle(program)
}

const OUTPUT: OutputConfiguration = {
  outputError: (text, write) =>
    write(text.replace(/^error: /, 'postern: ').replace(/\n?\((Did you mean .*)\)/, '\nhint: $1')),
}

/** Usage errors are thrown, so that there is one place that ends the process. */
function settle(command: Command): Command {
  command.exitOverride().configureOutput(OUTPUT)
  command.showHelpAfterError(`hint: ${fullName(command)} --help tells more`)
  command.commands.forEach(settle)
  return command
}

function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`
}
