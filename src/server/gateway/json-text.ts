import { endOfString } from '../../protocol/jsonrpc.ts'

/**
 * The text of a member of a JSON object, as it stands there: so that what an upstream answers reaches the caller to the
 * byte, large numbers included. `text` is known to be a valid JSON object. Of a member that is there twice, the last one.
 */
export function memberText(text: string, name: string): string | undefined {
  let found: string | undefined
  let at = text.indexOf('{') + 1
  for (;;) {
    at = skipBlank(text, at)
    if (text[at] === ',') at = skipBlank(text, at + 1)
    if (text[at] !== '"') return found
    const keyEnd = endOfString(text, at) + 1
    const key: unknown = JSON.parse(text.slice(at, keyEnd))
    const start = skipBlank(text, skipBlank(text, keyEnd) + 1)
    const end = endOfValue(text, start)
    if (key === name) found = text.slice(start, end)
    at = end
  }
}

function skipBlank(text: string, from: number): number {
  let at = from
  while (' \t\r\n'.includes(text.charAt(at)) && at < text.length) at++
  return at
}

function endOfValue(text: string, start: number): number {
  const first = text[start]
  if (first === '"') return endOfString(text, start) + 1
  if (first !== '{' && first !== '[') {
    let at = start
    while (at < text.length && !',}] \t\r\n'.includes(text.charAt(at))) at++
    return at
  }
  let depth = 0
  for (let at = start; ; at++) {
    const char = text[at]
    if (char === '"') at = endOfString(text, at)
    else if (char === '{' || char === '[') depth++
    else if ((char === '}' || char === ']') && --depth === 0) return at + 1
  }
}

/** Whether a value holds a number that JSON.parse may have altered: an integer beyond ±(2^53-1). */
export function holdsUnsafeInteger(value: unknown): boolean {
  if (typeof value === 'number')
    return !Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))
  if (typeof value !== 'object' || value === null) return false
  return Object.values(value).some(holdsUnsafeInteger)
}

/**
 * JSON may be laid out in lines, where a line ends a message; between its parts they are white space like any other. `text`
 * is known to be valid JSON: a line break inside a string is a fault, which nothing may hide.
 */
export function onOneLine(text: string): string {
  return text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]+/g, ' ') : text
}
