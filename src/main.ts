#!/usr/bin/env node
import { createProgram } from './cli/program.ts'
import { report } from './cli/terminal.ts'

try {
  await createProgram().parseAsync()
} catch (error) {
  process.exitCode = report(error)
}
