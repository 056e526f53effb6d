import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { uidOf } from '../linux/names.ts'
import { PACKAGE } from '../package.ts'
import { Complaint } from '../protocol/complaint.ts'
import { writeDurably } from '../store/files.ts'
import { isRunning } from './offline.ts'
import { print } from './terminal.ts'

const UNITS = '/etc/systemd/system'
const SYSUSERS = '/etc/sysusers.d/postern.conf'
const CONFIGURATION = '/etc/postern'
/** Where a service with and without a dynamic user keeps its state. */
const STATES = ['/var/lib/private/postern', '/var/lib/postern']
const SOCKETS = ['postern.socket', 'postern-tcp.socket']
/** Of the remote door: put there by hand, and of no use without the rest. */
const REMOTE = 'postern-remote.socket'
const UNIT_FILES = ['postern.service', ...SOCKETS, 'postern-diag.socket']
/** Of the Debian package, which looks after its files itself. */
const PACKAGED_UNIT = '/usr/lib/systemd/system/postern.service'

/** Something that is done, and said. */
interface Step {
  readonly say: string
  readonly run: () => void
}

interface InstallOptions {
  readonly user?: string
  readonly dryRun?: boolean
}

interface UninstallOptions {
  readonly purge?: boolean
  readonly dryRun?: boolean
}

export function installCommand(): Command {
  return new Command('install')
    .description(
      'Set this program up as a service of systemd: units, group, directories, pepper, configuration.',
    )
    .option('--user <name>', 'run as this user instead of one that systemd makes up for the purpose')
    .option('--dry-run', 'print the steps, and change nothing')
    .action((options: InstallOptions) => {
      perform(installation(options.user), options)
      if (options.dryRun !== true)
        print('\nThe socket listens. To let somebody mint: usermod --append --groups postern NAME')
    })
}

export function uninstallCommand(): Command {
  return new Command('uninstall')
    .description('Take the service away again. Tokens, pepper, configuration and group stay.')
    .option('--purge', 'take tokens, pepper and configuration away as well')
    .option('--dry-run', 'print the steps, and change nothing')
    .action((options: UninstallOptions) => perform(removal(options.purge === true), options))
}

function perform(steps: readonly Step[], { dryRun = false }: { dryRun?: boolean }): void {
  if (!dryRun) refuseToStart()
  for (const { say, run } of steps) {
    print(dryRun ? `would ${say}` : say)
    if (!dryRun) run()
  }
}

function refuseToStart(): void {
  if (process.getuid?.() !== 0) throw new Complaint('a service is installed by root', 'sudo postern …')
  if (!existsSync('/run/systemd/system')) {
    throw new Complaint('systemd does not run here', 'run "postern serve" from whatever starts services here')
  }
  if (existsSync(PACKAGED_UNIT)) {
    throw new Complaint('the Debian package has installed the service', 'use apt-get for it')
  }
}

function installation(user: string | undefined): Step[] {
  const program = places()
  refuseRunningDaemon()
  if (user !== undefined && uidOf(user) === undefined)
    throw new Complaint(`there is no user ${user}`, `useradd --system ${user}`)
  if (user !== undefined) refuseOdd(user)
  return [
    {
      say: `make the group postern (${SYSUSERS})`,
      run() {
        mkdirSync(dirname(SYSUSERS), { recursive: true })
        put(SYSUSERS, template('postern.sysusers.conf'))
        command('systemd-sysusers', SYSUSERS)
      },
    },
    {
      say: `make ${CONFIGURATION}`,
      run() {
        mkdirSync(CONFIGURATION, { recursive: true })
        chmodSync(CONFIGURATION, 0o755) // whatever the umask: the daemon has to read its configuration
      },
    },
    ...pepperSteps(),
    ...configurationSteps(),
    ...UNIT_FILES.map((name) => ({
      say: `write ${UNITS}/${name}`,
      run: () => put(join(UNITS, name), fitted(template(name), program, user)),
    })),
    { say: 'let systemd read its units again', run: () => command('systemctl', 'daemon-reload') },
    {
      say: `start ${SOCKETS.join(' and ')}, now and at each boot`,
      run: () => command('systemctl', 'enable', '--now', ...SOCKETS),
    },
    {
      say: 'start the service anew, if it runs',
      run: () => command('systemctl', 'try-restart', 'postern.service'),
    },
  ]
}

/** One that was started by hand would lose its socket, and then its state, to the service. */
function refuseRunningDaemon(): void {
  const isService = spawnSync('systemctl', ['is-active', '--quiet', 'postern.service']).status === 0
  const locked = isService ? [] : STATES.filter(isRunning)
  if (locked.length === 0) return
  throw new Complaint(
    `a daemon is running on ${locked.join()}`,
    'stop it first: the service takes its tokens over',
  )
}

/** An older pepper is taken over, and never replaced: without it the tokens that there are would be worthless. */
function pepperSteps(): Step[] {
  const file = join(CONFIGURATION, 'pepper')
  if (existsSync(file)) return [{ say: `keep ${file}`, run() {} }]
  const older = STATES.map((state) => join(state, 'pepper')).find((path) => existsSync(path))
  if (older !== undefined) {
    const move = () => {
      writeDurably(file, readFileSync(older, 'utf8'))
      rmSync(older) // beside the database it would go wherever that goes
    }
    return [{ say: `move ${older} to ${file}`, run: move }]
  }
  const orphaned = STATES.find((state) => existsSync(join(state, 'format.json')))
  if (orphaned !== undefined) {
    throw new Complaint(
      `${file} is missing, and the database in ${orphaned} was made with it`,
      'restore it from your backup; only if it is lost for good, move the state directory away',
    )
  }
  return [
    {
      say: `make ${file}, the key that tokens are hashed under (back it up with the state)`,
      run: () => writeDurably(file, `${randomBytes(32).toString('hex')}\n`),
    },
  ]
}

function configurationSteps(): Step[] {
  const file = join(CONFIGURATION, 'postern.toml')
  if (existsSync(file)) return [{ say: `keep ${file}`, run() {} }]
  return [{ say: `write ${file}`, run: () => put(file, template('postern.toml')) }]
}

function removal(purge: boolean): Step[] {
  const kept = [CONFIGURATION, ...STATES].filter((path) => existsSync(path))
  const remove = (path: string) => ({
    say: `remove ${path}`,
    run: () => rmSync(path, { recursive: true, force: true }),
  })
  return [
    {
      say: 'stop the service and its sockets',
      run() {
        const installed = [...UNIT_FILES, REMOTE].filter((name) => existsSync(join(UNITS, name)))
        if (installed.length > 0) command('systemctl', 'disable', '--now', ...installed)
      },
    },
    ...[...[...UNIT_FILES, REMOTE, 'postern.service.d'].map((name) => join(UNITS, name)), SYSUSERS].map(
      remove,
    ),
    { say: 'let systemd read its units again', run: () => command('systemctl', 'daemon-reload') },
    ...(purge
      ? kept.map(remove)
      : kept.map((path) => ({ say: `keep ${path} (--purge removes it)`, run() {} }))),
  ]
}

interface Places {
  readonly node: string
  readonly root: string
}

/** Where this program and its Node lie. The service sees no home directory, so they may not be in one. */
function places(): Places {
  const node = realpathSync(process.execPath)
  const root = realpathSync(fileURLToPath(PACKAGE))
  for (const path of [node, root]) {
    refuseOdd(path)
    if (!/^\/(home|root|run\/user|tmp|var\/tmp|srv|mnt|media|boot)\//.test(path)) continue
    throw new Complaint(
      `${path} is in a place that the service cannot see`,
      'install Node and this package for the whole system, below /usr or /opt',
    )
  }
  return { node, root: root.replace(/\/$/, '') }
}

/** Units have a syntax of their own: blanks end a word, `%` and `$` mean something, a line end begins another setting. */
function refuseOdd(text: string): void {
  if (/^[\w./+@-]+$/.test(text)) return
  throw new Complaint(
    `${JSON.stringify(text)} cannot be named in a unit`,
    'use letters, digits and ._+@- alone',
  )
}

function template(name: string): string {
  return readFileSync(new URL(`systemd/${name}`, PACKAGE), 'utf8')
}

/** The units are written for the Debian package's places and user. */
function fitted(unit: string, { node, root }: Places, user: string | undefined): string {
  const placed = unit
    .replaceAll('/usr/bin/node', () => node)
    .replaceAll('/usr/lib/postern', () => root)
    .replaceAll('/usr/share/doc/postern', () => root)
  return user === undefined ? placed : placed.replace(/^DynamicUser=yes\nUser=.*$/m, () => `User=${user}`)
}

function put(path: string, content: string): void {
  writeDurably(path, content)
  chmodSync(path, 0o644)
}

function command(program: string, ...args: string[]): void {
  const { status, error } = spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status === 0) return
  throw new Complaint(`${program} ${args.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}`)
}
