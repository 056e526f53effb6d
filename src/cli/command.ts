import { Complaint } from '../protocol/complaint.ts'
import { createProgram } from './program.ts'
import { report, reportOutput } from './terminal.ts'

/** argv → a command of cli/, or the daemon. */
export async function run(): Promise<void> {
  process.stdout.on('error', (error) => process.exit(reportOutput(error)))
  try {
    const [, , named] = process.argv
    if (named === undefined) {
      throw new Complaint('what shall it do?', 'postern --help lists the commands', { exitCode: 2 })
    }
    await (await createProgram(named)).parseAsync()
  } catch (error) {
    process.exitCode = report(error)
  }
}
