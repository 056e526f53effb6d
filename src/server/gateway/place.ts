/** Where an upstream is, and what is spoken there. */
export type UpstreamPlace =
  | { readonly kind: 'http'; readonly url: URL; readonly socketPath?: string }
  | { readonly kind: 'ws'; readonly url: URL }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'exec'; readonly argv: readonly string[] }

/**
 * `http(s)://…`, `ws(s)://…`, `unix+http:/run/x.sock` (behind a second colon the URL's path), `tcp:host:port`,
 * `unix:/run/x.sock` and `exec:/usr/bin/x …`, the last three with one JSON message a line. Undefined for anything else.
 */
export function parseUpstream(text: string): UpstreamPlace | undefined {
  const [, scheme = '', rest = ''] = /^([a-z+]+):(.+)$/.exec(text) ?? []
  switch (scheme) {
    case 'http':
    case 'https':
    case 'ws':
    case 'wss':
      return webPlace(text, scheme.startsWith('http') ? 'http' : 'ws')
    case 'unix+http':
      return socketWebPlace(rest)
    case 'tcp':
      return tcpPlace(rest)
    case 'unix':
      return rest.startsWith('/') ? { kind: 'unix', path: rest } : undefined
    case 'exec': {
      const argv = rest.split(' ').filter((word) => word !== '')
      return argv[0]?.startsWith('/') ? { kind: 'exec', argv } : undefined
    }
    default:
      return undefined
  }
}

/** A credential belongs into a file, not into the URL, which shows in `postern config`. */
function webPlace(text: string, kind: 'http' | 'ws'): UpstreamPlace | undefined {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  return url.username === '' && url.password === '' ? { kind, url } : undefined
}

function socketWebPlace(rest: string): UpstreamPlace | undefined {
  const [socketPath = '', path = '/'] = rest.split(':')
  if (!socketPath.startsWith('/') || !path.startsWith('/')) return undefined
  return { kind: 'http', url: new URL(`http://localhost${path}`), socketPath }
}

function tcpPlace(rest: string): UpstreamPlace | undefined {
  const [, bracketed, plain, digits] = /^(?:\/\/)?(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(rest) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  return host !== undefined && port >= 1 && port <= 65_535 ? { kind: 'tcp', host, port } : undefined
}
