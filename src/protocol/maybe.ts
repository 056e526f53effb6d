/** A value that is mostly there at once, and sometimes later: a cached token, an entry that LevelDB gives synchronously. */
export type Maybe<T> = T | Promise<T>

/** Goes on with the value without a turn of the event loop where it is there; on the hot path each turn costs as much as a check. */
export function after<T, U>(value: Maybe<T>, next: (value: T) => Maybe<U>): Maybe<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}
