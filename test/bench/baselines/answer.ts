/** What a bare server answers to each method, given as its first argument: `{"Auth.WhoAmI": {…}}`. */
const results: Readonly<Record<string, unknown>> = JSON.parse(process.argv[2] ?? '{}')

/** Reads a call, or a batch, as everybody has to, and answers as many bytes: what it costs to do nothing. */
export function answer(text: string): string {
  const message: unknown = JSON.parse(text)
  return JSON.stringify(Array.isArray(message) ? message.map(one) : one(message))
}

function one(message: unknown): object {
  const { id, method } = message as { id: unknown; method: string }
  return { jsonrpc: '2.0', result: results[method], id }
}
