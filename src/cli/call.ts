import { Command } from 'commander'
import { METHODS } from '../methods/index.ts'
import type { Method } from '../methods/method.ts'
import { parametersOf } from '../methods/openrpc.ts'
import { Complaint } from '../protocol/complaint.ts'
import type { Params } from '../protocol/jsonrpc.ts'
import { Client } from './client.ts'
import {
  type SocketOption,
  socketOf,
  type TokenOption,
  tokenOf,
  withSocket,
  withTokenFile,
} from './options.ts'
import { printJson } from './terminal.ts'

type CallOptions = SocketOption & TokenOption & Record<string, unknown>

const PARAMS = 'name=value for each, values in order, or all of them as one JSON object or array'

/** `postern call METHOD`: methods of the table with flags and help of their own, any other by its name. */
export function callCommand(): Command {
  const command = withTokenFile(withSocket(new Command('call')))
    .description('Call a method and print its result as JSON.')
    .argument('<method>', 'name of the method')
    .argument('[params...]', PARAMS)
    .enablePositionalOptions()
    .action((method: string, params: string[], options: CallOptions) =>
      call(method, readParams(params), options),
    )
  for (const row of METHODS) command.addCommand(rowCommand(row))
  return command
}

function rowCommand(row: Method): Command {
  const command = withTokenFile(withSocket(new Command(row.name)))
    .description(row.summary)
    .argument('[params...]', PARAMS)
    .action((params: string[], options: CallOptions, self: Command) => {
      const outer = self.parent?.opts<CallOptions>() ?? {}
      return call(row.name, merge(readParams(params, row), readFlags(row, options)), { ...outer, ...options })
    })
  for (const { name, schema } of parametersOf(row)) {
    const value = schema.type === 'boolean' ? '' : ` <${String(schema.type)}>`
    command.option(`${flagOf(name)}${value}`, String(schema.description ?? ''))
  }
  return command
}

async function call(method: string, params: Params | undefined, options: CallOptions): Promise<void> {
  printJson(await new Client(socketOf(options)).call(method, params, tokenOf(options)))
}

function flagOf(name: string): string {
  return `--${name.replaceAll('_', '-')}`
}

function readFlags(row: Method, options: CallOptions): Record<string, unknown> {
  const read: Record<string, unknown> = {}
  for (const { name, schema } of parametersOf(row)) {
    const attribute = name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())
    const value = options[attribute]
    if (value !== undefined) read[name] = schema.type === 'string' ? value : readValue(value)
  }
  return read
}

function readParams(words: readonly string[], row?: Method): Params | undefined {
  if (words.length === 0) return undefined
  const [first] = words
  if (words.length === 1 && first !== undefined && /^[[{]/.test(first)) return readWhole(first)
  const named = words.map((word) => /^([A-Za-z_]\w*)=(.*)$/s.exec(word))
  if (named.every((match) => match === null)) return words.map(readValue)
  if (named.some((match) => match === null)) {
    throw new Complaint('parameters are given either by name or in order', PARAMS, { exitCode: 2 })
  }
  const texts = new Set(
    row &&
      parametersOf(row)
        .filter(({ schema }) => schema.type === 'string')
        .map(({ name }) => name),
  )
  return Object.fromEntries(
    named.map((match) => {
      const [, name = '', value = ''] = match ?? []
      return [name, texts.has(name) ? value : readValue(value)]
    }),
  )
}

function readWhole(text: string): Params {
  try {
    return JSON.parse(text) as Params
  } catch (cause) {
    throw new Complaint('the parameters are not valid JSON', PARAMS, { exitCode: 2, cause })
  }
}

/** JSON where it is JSON, text otherwise: `ttl=60`, `name=backup`. */
function readValue(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

function merge(params: Params | undefined, flags: Record<string, unknown>): Params | undefined {
  if (Object.keys(flags).length === 0) return params
  if (Array.isArray(params))
    throw new Complaint('parameters are given either in order or by flags', PARAMS, { exitCode: 2 })
  return { ...params, ...flags }
}
