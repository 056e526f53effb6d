// The program of an exec: upstream: its stdin and stdout are those of a Unix socket, where the test's fake is.
import { connect } from 'node:net'

const socket = connect(process.argv[2] ?? '')
process.stdin.pipe(socket).pipe(process.stdout)
socket.on('error', () => process.exit(1))
socket.on('close', () => setImmediate(() => process.exit(0)))
