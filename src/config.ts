import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { parse as parseToml, TomlError } from 'smol-toml'
import { SCHEMA, type Values } from './config-schema.ts'
import { readTables, TABLE_NAMES, type Tables } from './config-tables.ts'
import { Complaint, codeOf, inWords } from './protocol/complaint.ts'
import * as settings from './settings.ts'

/** Where the host's own daemon listens, as systemd or as root. */
export const HOST_SOCKET = '/run/postern/postern.sock'

type Environment = Readonly<Record<string, string | undefined>>

export interface Config extends Values, Tables {
  readonly stateDir: string
  /** systemd's credentials directory, where there is one. */
  readonly credentialsDir: string | undefined
}

/** Where a value came from. */
export type Source = 'default' | 'file' | 'environment' | 'flag'

export interface LoadedConfig {
  readonly config: Config
  /** By `section.key`, and `state_dir`. */
  readonly sources: ReadonlyMap<string, Source>
  /** The file that was read, if any. */
  readonly file: string | undefined
}

/** What the command line can set. */
export interface Flags {
  readonly config?: string
  readonly stateDir?: string
  readonly socket?: string
  readonly port?: string
}

/**
 * For whom it is read: a daemon must know its rules; a client only wants to find the daemon; a program that has a daemon
 * of its own names the file, and those of the host are not meant for it.
 */
export type Reader = 'daemon' | 'client' | 'program'

/** Flag over environment over file over default. Throws Complaint, which names the key and where it stands. */
export function loadConfig(
  flags: Flags,
  reader: Reader = 'client',
  env: Environment = process.env,
): LoadedConfig {
  const file = readFile(flags.config ?? env.POSTERN_CONFIG, reader, env)
  const sources = new Map<string, Source>()
  const given = { ...fromFile(file), ...fromEnvironment(env), ...fromFlags(flags) }
  const stateDir = flags.stateDir ?? env.POSTERN_STATE_DIR
  sources.set('state_dir', flags.stateDir ? 'flag' : env.POSTERN_STATE_DIR ? 'environment' : 'default')
  const state = resolve(stateDir || defaultStateDir(env))
  const sections = Object.entries(SCHEMA).map(([section, keys]) => {
    const values = Object.entries(keys).map(([key, setting]) => {
      const name = `${section}.${key}`
      const value = given[name]
      sources.set(name, value?.source ?? 'default')
      return [
        key,
        value === undefined ? setting.fallback : read(name, setting as settings.Setting<unknown>, value),
      ]
    })
    return [section, Object.fromEntries(values)]
  })
  const values = Object.fromEntries(sections) as Values
  const socket = resolve(values.listen.socket || defaultSocket(env, state))
  const config = {
    ...values,
    ...readTables(file?.content ?? {}, file?.path ?? ''),
    listen: { ...values.listen, socket },
    stateDir: state,
    credentialsDir: env.CREDENTIALS_DIRECTORY,
  }
  return { config: deepFreeze(config), sources, file: file?.path }
}

interface Given {
  readonly value: unknown
  readonly source: Source
  /** For complaints: a file, a variable, a flag. */
  readonly where: string
}

function read(name: string, setting: settings.Setting<unknown>, { value, source, where }: Given): unknown {
  const parsed = setting.parse(value)
  if (parsed !== undefined) return parsed
  const what = source === 'file' ? `${where}: ${name}` : where
  const exitCode = source === 'flag' ? 2 : 1
  throw new Complaint(`${what} is ${JSON.stringify(value)}, which is not ${setting.expects}`, undefined, {
    exitCode,
  })
}

interface ConfigFile {
  readonly path: string
  readonly content: Record<string, unknown>
}

/** The file that was named, or the first of the usual ones that is there. */
function readFile(named: string | undefined, reader: Reader, env: Environment): ConfigFile | undefined {
  if (named !== undefined) return parseFile(named, [])
  if (reader === 'program') return undefined
  const home = join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'postern/postern.toml')
  const absent = ['ENOENT', 'ENOTDIR']
  // A daemon that took a file it may not read for none would forget its rules.
  const host = parseFile('/etc/postern/postern.toml', reader === 'daemon' ? absent : [...absent, 'EACCES'])
  return host ?? parseFile(home, [...absent, 'EACCES'])
}

/** `ignored`: the errors that mean that there is no such file for us. */
function parseFile(path: string, ignored: readonly string[]): ConfigFile | undefined {
  try {
    return { path, content: parseToml(readFileSync(path, 'utf8')) }
  } catch (error) {
    if (error instanceof TomlError) {
      throw new Complaint(
        `${path}: line ${error.line}, column ${error.column} is not valid TOML`,
        undefined,
        { cause: error },
      )
    }
    if (ignored.includes(codeOf(error) ?? '')) return undefined
    const hint = codeOf(error) === 'EACCES' ? `let the daemon read it: chmod 644 ${path}` : undefined
    throw new Complaint(`cannot read the configuration ${path}: ${inWords(error)}`, hint, { cause: error })
  }
}

function fromFile(file: ConfigFile | undefined): Record<string, Given> {
  const given: Record<string, Given> = {}
  if (file === undefined) return given
  for (const [section, content] of Object.entries(file.content)) {
    if (TABLE_NAMES.includes(section as keyof Tables) || section === 'workers') continue
    const keys = sectionOf(section, file.path)
    const isTable = typeof content === 'object' && content !== null && !(content instanceof Date)
    if (!isTable || Array.isArray(content)) {
      throw new Complaint(`${file.path}: ${section} is a section`, `write [${section}] and its keys below`)
    }
    for (const [key, value] of Object.entries(content)) {
      if (!Object.hasOwn(keys, key))
        throw settings.unknownName('key', `${section}.${key}`, ALL_KEYS, file.path)
      given[`${section}.${key}`] = { value, source: 'file', where: file.path }
    }
  }
  const { workers } = file.content
  if (workers !== undefined && given[WORKERS] !== undefined)
    throw new Complaint(`${file.path}: workers stands above the sections and in [listen]`, 'say it once')
  return workers === undefined
    ? given
    : { ...given, [WORKERS]: { value: workers, source: 'file', where: file.path } }
}

/** May stand above all sections as well: it is about the daemon as a whole. */
const WORKERS = 'listen.workers'

const ALL_KEYS = Object.entries(SCHEMA).flatMap(([section, keys]) =>
  Object.keys(keys).map((key) => `${section}.${key}`),
)

function sectionOf(name: string, where: string): object {
  if (Object.hasOwn(SCHEMA, name)) return SCHEMA[name as keyof typeof SCHEMA]
  throw settings.unknownName(
    'section',
    `[${name}]`,
    [...Object.keys(SCHEMA).map((section) => `[${section}]`), ...TABLE_NAMES.map((table) => `[[${table}]]`)],
    where,
  )
}

/** `POSTERN_LIMITS_BODY` and so on; `POSTERN_SOCKET`, `POSTERN_PORT` and `POSTERN_WORKERS` for short. */
function fromEnvironment(env: Environment): Record<string, Given> {
  const given: Record<string, Given> = {}
  const names = new Map(ALL_KEYS.map((key) => [`POSTERN_${key.replace('.', '_').toUpperCase()}`, key]))
  names
    .set('POSTERN_SOCKET', 'listen.socket')
    .set('POSTERN_PORT', 'listen.port')
    .set('POSTERN_WORKERS', WORKERS)
  for (const [variable, value] of Object.entries(env)) {
    const key = names.get(variable)
    if (key !== undefined) given[key] = { value, source: 'environment', where: `$${variable}` }
    else if (/^POSTERN_(LISTEN|LIMITS|TOKENS|AUDIT|ZABBIX)_/.test(variable)) {
      throw settings.unknownName('variable', variable, [...names.keys()], 'environment')
    }
  }
  return given
}

function fromFlags({ socket, port }: Flags): Record<string, Given> {
  return {
    ...(socket !== undefined && { 'listen.socket': { value: socket, source: 'flag', where: '--socket' } }),
    ...(port !== undefined && { 'listen.port': { value: port, source: 'flag', where: '--port' } }),
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

function defaultStateDir(env: Environment): string {
  // systemd names several directories with colons in between; ours is the first.
  if (env.STATE_DIRECTORY) return env.STATE_DIRECTORY.split(':')[0] as string
  return isRoot()
    ? '/var/lib/postern'
    : join(env.XDG_STATE_HOME || join(homedir(), '.local/state'), 'postern')
}

function defaultSocket(env: Environment, stateDir: string): string {
  if (isRoot()) return HOST_SOCKET
  return env.XDG_RUNTIME_DIR
    ? join(env.XDG_RUNTIME_DIR, 'postern/postern.sock')
    : join(stateDir, 'postern.sock')
}

export function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  return Object.freeze(value)
}
