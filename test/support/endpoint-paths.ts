import { buildCallPath } from '../../src/call-path.ts'

/** Paths that HTTP itself answers: src/server/http.ts. */
const OF_HTTP = ['/api/', '/api', '/api_jsonrpc.php', '/healthz', '/readyz', '/nothing/here']

/** Every path that the daemon answers on, and the verbs of it: as the daemon puts them together, so that none is forgotten. */
export function endpointPaths(): [path: string, verbs: readonly string[]][] {
  // Building them asks nothing of the parts that would answer.
  const parts = { services: { daemon: {} }, table: [], gateways: [] } as unknown
  const { endpoints } = buildCallPath(parts as Parameters<typeof buildCallPath>[0])
  return [
    ...OF_HTTP.map((path): [string, readonly string[]] => [path, ['GET', 'POST']]),
    ...[...endpoints].map(([path, { verbs }]): [string, readonly string[]] => [path, verbs]),
  ]
}
