/** Whether the text of a record that comes from a file is one: what the program goes on to use has the type it expects. */

const ID = /^[1-9]\d{0,17}$/

export function isToken(text: string): boolean {
  const token = parse(text)
  if (token === undefined) return false
  const { id, name, user, creator, expires, expiresAt, created, hashes, scopes, revoked } = token
  return (
    [id, user, creator].every((one) => typeof one === 'string' && ID.test(one)) &&
    typeof name === 'string' &&
    (expires === null || typeof expires === 'number') &&
    [expiresAt, created].every((one) => typeof one === 'number') &&
    [hashes, scopes].every((list) => Array.isArray(list) && list.every((one) => typeof one === 'string')) &&
    (revoked === null || typeof revoked === 'object')
  )
}

export function isUser(text: string): boolean {
  const user = parse(text)
  if (user === undefined) return false
  const { id, username, type, status } = user
  return (
    typeof id === 'string' &&
    ID.test(id) &&
    typeof username === 'string' &&
    ['user', 'admin', 'superadmin'].includes(type as string) &&
    ['enabled', 'disabled'].includes(status as string)
  )
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
