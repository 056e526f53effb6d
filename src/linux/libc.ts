import { createRequire } from 'node:module'

/** A function of the C library, called through koffi. */
export type NativeFunction = (...args: unknown[]) => number

/** A function that returns a pointer to a struct, or null; the struct is read at once, before anybody overwrites it. */
export type StructFunction<T> = (...args: unknown[]) => T | undefined

interface Libc {
  /** Declares a function by its C prototype. */
  readonly declare: (prototype: string) => NativeFunction
  /** Declares a function by its name and parameters that returns a pointer to a struct of these members. */
  readonly declareReader: <T>(
    name: string,
    parameters: string,
    members: Readonly<Record<keyof T, string>>,
  ) => StructFunction<T>
  /** The name of the last call's error: "EAGAIN". */
  readonly lastError: () => string
}

let opened: Libc | null | undefined

/**
 * The C library, or undefined where it cannot be reached (another system, koffi's binary left out of the installation).
 * Callers fail closed: where the kernel was not asked, nobody is anybody.
 */
export function openLibc(): Libc | undefined {
  if (opened === undefined) opened = process.platform === 'linux' ? load() : null
  return opened ?? undefined
}

function load(): Libc | null {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    koffi.alias('ssize_t', 'intptr_t') // koffi has no ssize_t of its own
    const self = koffi.load(null) // the process itself is linked with libc, whichever libc that is
    const names = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]))
    return {
      declare: (prototype) => self.func(prototype) as NativeFunction,
      declareReader<T>(name: string, parameters: string, members: Readonly<Record<keyof T, string>>) {
        const struct = koffi.struct({ ...members } as Record<string, string>)
        const read = self.func(`void *${name}(${parameters})`)
        return (...args: unknown[]) => {
          const pointer: unknown = read(...args)
          return pointer === null ? undefined : (koffi.decode(pointer, struct) as T)
        }
      },
      lastError: () => names.get(koffi.errno()) ?? `errno ${koffi.errno()}`,
    }
  } catch {
    return null
  }
}
