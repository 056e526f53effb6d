import { readFileSync } from 'node:fs'

/** The package's own folder, with `systemd/` and package.json in it: `dist/` and `src/` both lie there. */
export const PACKAGE = new URL('..', import.meta.url)

/** What starts the program, and each of its threads. */
export const MAIN = new URL('main.js', import.meta.url)

export function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('package.json', PACKAGE), 'utf8')) as {
    version: string
  }
  return version
}
