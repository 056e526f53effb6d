import { Command } from 'commander'
import { type Flags, loadConfig } from '../config.ts'
import { printJson, printTable, wantsJson } from './terminal.ts'

export function configCommand(): Command {
  return new Command('config')
    .description(
      'Show the effective configuration and where each value comes from. Durations in ms, sizes in bytes.',
    )
    .option('--config <file>', 'configuration file (or $POSTERN_CONFIG)')
    .option('--state-dir <dir>', 'as for serve')
    .option('--socket <path>', 'as for serve')
    .option('--port <number>', 'as for serve')
    .option('--json', 'print JSON, as in a pipe')
    .action(show)
}

/** There is no secret among the values: secrets are files, and only their paths are configured. */
function show(flags: Flags & { json?: boolean }): void {
  const { config, sources, file } = loadConfig(flags)
  const { stateDir, credentialsDir: _, ...sections } = config
  if (wantsJson(flags)) {
    printJson({ file: file ?? null, state_dir: stateDir, ...sections, sources: Object.fromEntries(sources) })
    return
  }
  const rows = Object.entries(sections).flatMap(([section, values]) =>
    Array.isArray(values)
      ? values.flatMap((row, at) => rowsOf(`${section}[${at}]`, row))
      : rowsOf(section, values),
  )
  const all = [['state_dir', stateDir] as const, ...rows]
  printTable(
    ['key', 'value', 'from'],
    all.map(([key, value]) => [key, value, from(key.includes('[') ? 'file' : sources.get(key), file)]),
  )
}

function rowsOf(section: string, values: object): (readonly [string, string])[] {
  return Object.entries(values).map(([key, value]) => [`${section}.${key}`, shown(key, value)])
}

function shown(key: string, value: unknown): string {
  if (key === 'socket_mode') return `0${Number(value).toString(8)}`
  return value === undefined || String(value) === '' ? '-' : String(value)
}

function from(source: string | undefined, file: string | undefined): string {
  return source === 'file' ? (file ?? 'file') : (source ?? 'default')
}
