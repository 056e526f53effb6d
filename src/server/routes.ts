/** Which scope a request to a service behind a proxy takes: one `[[route]]` of the configuration. */
export interface Route {
  /** Left out: every one. */
  readonly method?: string | undefined
  /** Segments; `*` as the last one stands for all that is below. */
  readonly path: string
  readonly scope: string
}

const PATH = /^(?:\/[\w~!$&'()+,=:@.-]+)*(?:\/\*?)?$/

/** Whether a path can be a rule: plain segments, and a star at most as the last one. */
export function isRoutePath(path: string): boolean {
  return path.startsWith('/') && PATH.test(path) && !hasDots(path)
}

/**
 * The scope of the first route that is about a request; undefined: none is. A path that services may read in more than one
 * way is about none: encoded characters, dot segments, `//`, `;` and backslashes are how rules are walked around.
 */
export function scopeOf(
  routes: readonly Route[],
  { method, path }: { method: string; path: string },
): string | undefined {
  if (!isPlain(path)) return undefined
  return routes.find((route) => matches(route, method, path))?.scope
}

function matches({ method: wanted, path: pattern }: Route, method: string, path: string): boolean {
  if (wanted !== undefined && wanted !== method) return false
  return pattern.endsWith('/*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern
}

function isPlain(path: string): boolean {
  return path.startsWith('/') && !/[%;\\#\s]|\/\/|[^\x21-\x7e]/.test(path) && !hasDots(path)
}

function hasDots(path: string): boolean {
  return path.split('/').some((segment) => segment === '.' || segment === '..')
}
