import type { JsonSchema } from '../protocol/schema.ts'
import type { Method } from './method.ts'

export interface OpenRpcDocument {
  openrpc: '1.3.2'
  info: { title: string; version: string; description: string; license: { name: string } }
  methods: OpenRpcMethod[]
}

interface OpenRpcMethod {
  name: string
  summary: string
  description: string
  tags: { name: string }[]
  paramStructure: 'either' | 'by-name' | 'by-position'
  params: ContentDescriptor[]
  result: ContentDescriptor
}

interface ContentDescriptor {
  name: string
  description?: string
  required: boolean
  schema: JsonSchema
}

const WHO: Readonly<Record<Method['access'], string>> = {
  local: 'a local caller, without a token',
  user: 'any token',
  admin: "an admin's token",
  superadmin: "a superadmin's token",
}

/** The table as an OpenRPC 1.3 document (https://spec.open-rpc.org). */
export function describeApi(methods: readonly Method[], version: string): OpenRpcDocument {
  return {
    openrpc: '1.3.2',
    info: { title: 'Postern', version, description: 'The token gate of a host.', license: { name: 'MIT' } },
    methods: methods.map(describeMethod),
  }
}

function describeMethod(row: Method): OpenRpcMethod {
  return {
    name: row.name,
    summary: row.summary,
    description: `Callable by ${WHO[row.access]}.`,
    tags: [{ name: row.effect }, { name: `access:${row.access}` }],
    paramStructure: structureOf(row),
    params: (isList(row)
      ? [{ name: 'list', required: true, schema: row.params.json }]
      : parametersOf(row)
    ).map(({ name, required, schema }) => {
      const description = schema.description
      return { name, ...(typeof description === 'string' && { description }), required, schema }
    }),
    result: { name: 'result', required: true, schema: row.result.json },
  }
}

/** Zabbix's calls on several objects: what is sent as `params` is the list itself. */
function isList({ params }: Method): boolean {
  return params.json.type !== 'object'
}

function structureOf(row: Method): OpenRpcMethod['paramStructure'] {
  if (isList(row)) return 'by-position'
  return row.params.fields === undefined ? 'by-name' : 'either'
}

export interface Parameter {
  readonly name: string
  readonly required: boolean
  readonly schema: JsonSchema
}

/** A row's parameters by their order, which is also their position. None where the parameters are a list as a whole. */
export function parametersOf(row: Method): Parameter[] {
  const { properties = {}, required = [] } = row.params.json as {
    properties?: Record<string, JsonSchema>
    required?: string[]
  }
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    required: required.includes(name),
    schema,
  }))
}

/** The table as Markdown, for the README; a test keeps the two in step. */
export function describeInMarkdown(methods: readonly Method[]): string {
  const rows = methods.map((row) => {
    const params = isList(row)
      ? ['a list of objects or ids']
      : parametersOf(row).map(({ name, required }) => (required ? `\`${name}\`` : `[\`${name}\`]`))
    return `| \`${row.name}\` | ${params.join(' ')} | ${WHO[row.access]} | ${row.summary} |`
  })
  return ['| method | parameters | who may call | what it does |', '|---|---|---|---|', ...rows].join('\n')
}
