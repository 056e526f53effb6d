import { CommanderError } from 'commander'
import { printable } from '../announcement.ts'
import { Complaint, inWords } from '../protocol/complaint.ts'

/** Everything the command prints on stdout. */
export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
}

/** What JSON leaves as it is, and a terminal obeys. */
const UNPRINTABLE = /[\u007f-\u009f\p{Cf}\u2028\u2029]/gu

function escaped(char: string): string {
  return [...Array(char.length).keys()]
    .map((at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`)
    .join('')
}

/** A value for programs; indented for people. */
export function printJson(value: unknown): void {
  const text = JSON.stringify(value, undefined, process.stdout.isTTY ? 2 : undefined)
  print(process.stdout.isTTY ? text.replace(UNPRINTABLE, escaped) : text)
}

/** Whether to print for programs: asked for, or nobody is looking. */
export function wantsJson({ json = false }: { json?: boolean }): boolean {
  return json || !process.stdout.isTTY
}

/** Rows in columns. Control characters are escaped: a name must not write to the operator's terminal. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const cells = [head, ...rows].map((row) => row.map(printable))
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  for (const row of cells)
    print(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
}

/** An error on stderr as `postern: what is wrong` and `hint: what to do`. Returns the exit code. */
export function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2 // commander has printed it already
  const { message, hint, exitCode } = error instanceof Complaint ? error : unforeseen(error)
  process.stderr.write(
    `postern: ${printable(message)}\n${hint === undefined ? '' : `hint: ${printable(hint)}\n`}`,
  )
  return exitCode
}

/** What could not be printed. A reader that has seen enough (head) is no error of anybody's. */
export function reportOutput(error: NodeJS.ErrnoException): number {
  return error.code === 'EPIPE' ? 0 : report(new Complaint(`cannot write the output: ${inWords(error)}`))
}

function unforeseen(error: unknown): { message: string; hint: string | undefined; exitCode: number } {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { message: `unexpected error: ${message}`, hint: undefined, exitCode: 1 }
}
