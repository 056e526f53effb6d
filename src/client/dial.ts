import { isNode } from './credential.ts'

/** An open or opening WebSocket, as browsers and `ws` have it alike. */
export interface Wire {
  readonly isOpen: boolean
  send(text: string): void
  close(): void
}

export interface WireEvents {
  open(): void
  message(text: string): void
  /** Once, at the end of it, also where it never opened. */
  close(end: End): void
}

export interface End {
  /** Of RFC 6455 section 7.4; 1006 where nobody said goodbye. */
  readonly code: number
  /** The HTTP status by which the upgrade was refused; undefined: it was not, or it is not told (in a browser). */
  readonly refused: number | undefined
}

/** How long the upgrade may take, in milliseconds. */
const HANDSHAKE_MS = 10_000
const NORMAL = 1000

/** Whether the upgrade carries the token in a header. A browser's WebSocket cannot send any. */
export function carriesToken(): boolean {
  return isNode()
}

/** Opens a WebSocket; events come after this has resolved. */
export async function dial(url: URL, token: string | undefined, events: WireEvents): Promise<Wire> {
  return carriesToken() ? dialInNode(url, token, events) : dialInBrowser(url, events)
}

async function dialInNode(url: URL, token: string | undefined, events: WireEvents): Promise<Wire> {
  const { WebSocket } = await import('ws')
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` }
  const ws = new WebSocket(url, { headers, handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false })
  let refused: number | undefined
  ws.on('unexpected-response', (_req, res) => {
    refused = res.statusCode
    ws.terminate()
  })
  ws.on('open', () => events.open())
  ws.on('message', (data) => events.message(String(data)))
  ws.on('error', () => {}) // the end follows
  ws.on('close', (code) => events.close({ code, refused }))
  return {
    get isOpen() {
      return ws.readyState === ws.OPEN
    },
    send: (text) => ws.send(text),
    close: () => ws.close(NORMAL),
  }
}

/** What is used of a browser's own WebSocket. */
interface BrowserWebSocket {
  readonly readyState: number
  onopen: () => void
  onmessage: (event: { data: unknown }) => void
  onclose: (event: { code: number }) => void
  send(text: string): void
  close(code: number): void
}

function dialInBrowser(url: URL, events: WireEvents): Wire {
  const { WebSocket } = globalThis as unknown as { WebSocket: new (url: string) => BrowserWebSocket }
  const ws = new WebSocket(url.href)
  ws.onopen = () => events.open()
  ws.onmessage = ({ data }) => events.message(String(data))
  ws.onclose = ({ code }) => events.close({ code, refused: undefined })
  return {
    get isOpen() {
      return ws.readyState === 1
    },
    send: (text) => ws.send(text),
    close: () => ws.close(NORMAL),
  }
}
