import type { IncomingMessage, ServerResponse } from 'node:http'
import { wrongVerb } from './http-failures.ts'

/** For whoever keeps watch: 200 or 503, and nothing else. */
export function serveHealth(req: IncomingMessage, res: ServerResponse, well: boolean): void {
  if (req.method !== 'GET' && req.method !== 'HEAD') throw wrongVerb('GET, HEAD')
  res.writeHead(well ? 200 : 503, { 'Cache-Control': 'no-store', 'Content-Length': 0 }).end()
}
