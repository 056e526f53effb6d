/**
 * Scopes are patterns of method names, segment by segment: `token.get`, `aria2.*` (everything below aria2, however deep),
 * `*` (everything). A star stands for the rest and can only be the last segment; there is nothing else to match with,
 * and letters count as they are (pitfall 25).
 */
const PATTERN = /^(\*|[\w/-]+(\.[\w/-]+)*(\.\*)?)$/

/** Everything that its user may do. */
export const ALL_METHODS: readonly string[] = ['*']

/** Longest pattern, and how many a token has at most: they are stored with each token and looked at for each call. */
export const LONGEST_SCOPE = 128
export const MOST_SCOPES = 64

export function isScope(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LONGEST_SCOPE && PATTERN.test(value)
}

/** Whether a method may be called. */
export function allows(scopes: readonly string[], method: string): boolean {
  return scopeFor(scopes, method) !== undefined
}

/** The scope that lets a method be called, or undefined. */
export function scopeFor(scopes: readonly string[], method: string): string | undefined {
  return scopes.find((scope) => includes(scope, method))
}

/** Whether everything that `inner` allows is allowed by `outer`: a child never exceeds its parent (pitfall 24). */
export function contains(outer: readonly string[], inner: readonly string[]): boolean {
  return inner.every((scope) => outer.some((wider) => includes(wider, scope)))
}

/** Of a method, or of a narrower pattern: `a.*` includes `a.b`, `a.b.c` and `a.b.*`, but neither `a` nor `ab`. */
function includes(scope: string, inner: string): boolean {
  if (scope === '*' || scope === inner) return true
  return scope.endsWith('.*') && inner.length > scope.length - 1 && inner.startsWith(scope.slice(0, -1))
}
