import { Command, type OutputConfiguration } from 'commander'
import { readVersion } from '../package.ts'

/** In the order of the help. Each is loaded with what it needs, and no sooner. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.ts')).serveCommand(),
  mint: async () => (await import('./mint.ts')).mintCommand(),
  call: async () => (await import('./call.ts')).callCommand(),
  token: async () => (await import('./token.ts')).tokenCommand(),
  user: async () => (await import('./user.ts')).userCommand(),
  status: async () => (await import('./status.ts')).statusCommand(),
  audit: async () => (await import('./audit.ts')).auditCommand(),
  reload: async () => (await import('./reload.ts')).reloadCommand(),
  check: async () => (await import('./check.ts')).checkCommand(),
  backup: async () => (await import('./backup/command.ts')).backupCommand(),
  restore: async () => (await import('./backup/restore.ts')).restoreCommand(),
  export: async () => (await import('./backup/exchange.ts')).exportCommand(),
  import: async () => (await import('./backup/exchange.ts')).importCommand(),
  clock: async () => (await import('./clock.ts')).clockCommand(),
  config: async () => (await import('./config.ts')).configCommand(),
  install: async () => (await import('./install.ts')).installCommand(),
  uninstall: async () => (await import('./install.ts')).uninstallCommand(),
  completion: async () => (await import('./completion.ts')).completionCommand(),
}

/**
 * The `postern` command: one file of cli/ for each command below it. `named`: the only one that will be asked for; where it
 * is none of them (`--help`), or `completion`, which tells of all the others, all are there.
 */
export async function createProgram(named: string): Promise<Command> {
  const program = new Command('postern')
    .description(
      'The token gate of a host: whoever is inside may mint a token; everybody else must show one.',
    )
    .version(readVersion())
  const load = named !== 'completion' && Object.hasOwn(COMMANDS, named) ? COMMANDS[named] : undefined
  const wanted = load === undefined ? Object.values(COMMANDS) : [load]
  for (const command of await Promise.all(wanted.map((one) => one()))) program.addCommand(command)
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
