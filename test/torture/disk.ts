import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Scope, until } from '../support/daemon.ts'

/** What a test with a disk of its own needs, beside root. */
export const DISK_PROGRAMS = ['losetup', 'mkfs.ext4', 'mount', 'umount', 'truncate', 'perl']

/** FS_IOC_SHUTDOWN (linux/fs.h): _IOR('X', 125, __u32), and FS_SHUTDOWN_FLAGS_NOLOGFLUSH. */
const SHUTDOWN = `open(my $f, '<', $ARGV[0]) or die $!; my $flags = pack('L', 2); ioctl($f, 0x8004587d, $flags) or die $!`

/** How long others may have it mounted, in milliseconds. */
const OTHERS_MS = 60_000

/** A disk of a test's own: ext4 on a loop device, mounted on a daemon's state directory. Gone when the test ends. */
export class Disk {
  /** Where the daemon lives. */
  readonly directory: string
  readonly stateDir: string
  readonly #device: string
  #mounted = false

  private constructor(directory: string, device: string) {
    this.directory = directory
    this.stateDir = join(directory, 'state')
    this.#device = device
  }

  static make(t: Scope, mebibytes: number): Disk {
    const directory = mkdtempSync(join(tmpdir(), 'postern-disk-'))
    const image = join(directory, 'disk.img')
    run('truncate', '--size', `${mebibytes}M`, image)
    const disk = new Disk(directory, run('losetup', '--find', '--show', image).trim())
    t.after(() => disk.#remove())
    mkdirSync(disk.stateDir, { mode: 0o700 })
    // No blocks are kept back for root, whose the daemon is here.
    run('mkfs.ext4', '-q', '-m', '0', '-E', 'lazy_itable_init=0,lazy_journal_init=0', disk.#device)
    disk.mount()
    return disk
  }

  mount(): void {
    run('mount', this.#device, this.stateDir)
    this.#mounted = true
  }

  /**
   * Nobody may have files open on it. Resolves when nobody has it mounted any more: a mount namespace that somebody made
   * meanwhile (a sandbox is one) has all mounts of this one too, and until it lets go of them the disk, mounted again,
   * would be what it was after the cut, and not what is on it.
   */
  async unmount(): Promise<void> {
    run('umount', this.stateDir)
    this.#mounted = false
    await until('nobody has the disk mounted', () => isFree(this.#device), OTHERS_MS)
  }

  /** The power is gone: what the kernel holds in memory, and the end of the journal, never reach the disk. */
  cutPower(): void {
    run('perl', '-e', SHUTDOWN, this.stateDir)
  }

  /** A test's clean-ups run in the order of their making: its daemons still have files open here. */
  #remove(): void {
    if (this.#mounted) run('umount', '--lazy', this.stateDir)
    run('losetup', '--detach', this.#device)
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** A block device that is mounted somewhere, in whichever namespace, cannot be opened for oneself alone. */
function isFree(device: string): boolean {
  try {
    closeSync(openSync(device, constants.O_RDWR | constants.O_EXCL))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error
    return false
  }
}

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
