import { readFileSync } from 'node:fs'

/** As package.json has it, which lies beside `dist/` and `src/` alike. */
export function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}
