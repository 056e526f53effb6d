/** An HTTP answer, as the bytes have it. */
export interface Answer {
  readonly status: number
  /** Names in small letters. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export interface Answers {
  /** Those of 1xx that come before an answer. */
  readonly interim: readonly Answer[]
  readonly final: readonly Answer[]
  /** What came behind a 101: no HTTP any more. */
  readonly switched: Buffer | undefined
  /** The last answer did not arrive whole. */
  readonly partial: boolean
}

const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d) [\t\x20-\x7e]*$/
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)$/

/**
 * Reads answers as strictly as RFC 9112 has them, and throws for anything else. `verbs`: of the requests, in their order,
 * because what answers HEAD has no content.
 */
export function readAnswers(bytes: Buffer, verbs: readonly string[]): Answers {
  const interim: Answer[] = []
  const final: Answer[] = []
  let at = 0
  while (at < bytes.length) {
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end < 0) return { interim, final, switched: undefined, partial: true }
    const { status, headers } = readHead(bytes.toString('latin1', at, end))
    at = end + 4
    if (status === 101) return { interim, final, switched: bytes.subarray(at), partial: false }
    if (status < 200) {
      interim.push({ status, headers, body: '' })
      continue
    }
    const none =
      status === 204 || status === 304 || (verbs[final.length] === 'HEAD' && endsOrAnswers(bytes, at))
    const content = none ? { body: '', end: at } : readContent(bytes, at, headers)
    if (content === undefined) return { interim, final, switched: undefined, partial: true }
    final.push({ status, headers, body: content.body })
    at = content.end
  }
  return { interim, final, switched: undefined, partial: false }
}

function readHead(text: string): Pick<Answer, 'status' | 'headers'> {
  const [first = '', ...lines] = text.split('\r\n')
  const status = Number(STATUS_LINE.exec(first)?.[1])
  if (Number.isNaN(status)) throw new Error(`this is no status line: ${JSON.stringify(first.slice(0, 200))}`)
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [, name, value = ''] = FIELD.exec(line) ?? []
    if (name === undefined) throw new Error(`this is no field of an answer: ${JSON.stringify(line)}`)
    const key = name.toLowerCase()
    if (headers.has(key) && key !== 'set-cookie') throw new Error(`${name} is in an answer twice`)
    headers.set(key, value)
  }
  return { status, headers }
}

/** A HEAD that could not be parsed as one is answered with content, and the end. */
function endsOrAnswers(bytes: Buffer, at: number): boolean {
  return at === bytes.length || bytes.toString('latin1', at, at + 5) === 'HTTP/'
}

/** Undefined: it did not arrive whole. */
function readContent(
  bytes: Buffer,
  at: number,
  headers: Answer['headers'],
): { body: string; end: number } | undefined {
  const [length, coding] = [headers.get('content-length'), headers.get('transfer-encoding')]
  if ((length === undefined) === (coding === undefined)) throw new Error('an answer is framed in one way')
  if (length !== undefined) {
    if (!/^\d+$/.test(length)) throw new Error(`this is no length: ${length}`)
    const end = at + Number(length)
    return end > bytes.length ? undefined : { body: bytes.toString('utf8', at, end), end }
  }
  if (coding !== 'chunked') throw new Error(`this is no coding that was asked for: ${coding}`)
  return readChunks(bytes, at)
}

function readChunks(bytes: Buffer, from: number): { body: string; end: number } | undefined {
  const pieces: Buffer[] = []
  for (let at = from; ; ) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return undefined
    const text = bytes.toString('latin1', at, line)
    if (!/^[0-9a-f]+$/i.test(text)) throw new Error(`this is no size of a chunk: ${JSON.stringify(text)}`)
    const size = Number.parseInt(text, 16)
    const end = line + 2 + size
    if (end + 2 > bytes.length) return undefined
    if (bytes.toString('latin1', end, end + 2) !== '\r\n') throw new Error('a chunk does not end')
    if (size === 0) return { body: Buffer.concat(pieces).toString('utf8'), end: end + 2 }
    pieces.push(bytes.subarray(line + 2, end))
    at = end + 2
  }
}
