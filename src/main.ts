#!/usr/bin/env node
import { createProgram } from './cli/program.ts'
import { report, reportOutput } from './cli/terminal.ts'
import { Complaint } from './protocol/complaint.ts'

process.stdout.on('error', (error) => process.exit(reportOutput(error)))

try {
  if (process.argv.length === 2) {
    throw new Complaint('what shall it do?', 'postern --help lists the commands', { exitCode: 2 })
  }
  await createProgram().parseAsync()
} catch (error) {
  process.exitCode = report(error)
}
