#!/bin/bash
# A machine of a test's own: a real systemd as PID 1 of fresh namespaces, over the host's programs.
#
#   sandbox.sh up DIR             boots one; DIR, empty and the caller's, holds all that belongs to it
#   sandbox.sh exec DIR CMD...    runs a command in it as root
#   sandbox.sh reboot DIR         stops its units in order and boots again from the same disk
#   sandbox.sh down DIR           ends it, however far it got; DIR can be removed afterwards
#
# Needs root, util-linux, iproute2, systemd and a merged /usr. The host's own PID 1 may be anything.
#
#   DIR/disk      a tmpfs: root/ is the guest's (/etc, /var, ...), upper/ is what it changed in /usr
#   DIR/cg        the host's cgroup2 tree; one group in it holds every process of the guest
#   DIR/init.pid  the guest's PID 1, as the host counts
#   DIR/console   what was said before there was a journal
#
# Only disk and cg are mounted where the host sees them. Nothing of the host's lies below DIR, so an `rm -rf`
# at the wrong time harms the guest alone.
set -euo pipefail
umask 022 # under a caller's 077 nobody but root could read the guest's /etc

# How whatever runs in the guest begins: in an environment of its own, and without the capabilities that reach
# past every namespace. With them, root in the guest sets the host's clock, loads modules, clears its log.
readonly AS_GUEST=(
  setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio,-syslog --
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8
)

# What the programs of /usr look for in /etc. Not all of it: the host's services would start in here too, and
# dpkg.cfg.d of a container image keeps parts of a package from being installed.
readonly ETC=(
  passwd group shadow gshadow subuid subgid shells skel login.defs pam.d security environment default/useradd
  adduser.conf deluser.conf nsswitch.conf protocols services 'ld.so.*' ssl alternatives perl debconf.conf
  ucf.conf profile bash.bashrc localtime timezone os-release debian_version
)

# Units that mount what a kernel has once, which may be forbidden and would then make the boot a failed one.
# Devices, modules, clock and console need no mask: systemd sees that it has no say in them (see `init`).
readonly MASKED=(dev-hugepages.mount sys-fs-fuse-connections.mount)

die() {
  echo "sandbox.sh: $*" >&2
  exit 1
}

# Makes the disk of a machine that has never booted.
format() {
  local link name
  mkdir "$DIR/disk"
  # A tmpfs, as DIR may lie on an overlay (in a container), which cannot be the upper layer of another one.
  # Mode 700: the host's shadow file and keys are copied to it.
  mount -t tmpfs -o mode=700 sandbox "$DIR/disk"
  cd "$DIR/disk"
  mkdir upper work root
  cd root
  mkdir -p {dev,proc,sys,run,tmp,usr,home,opt,srv,mnt} etc/systemd/system var/{lib,cache,log/journal}
  mkdir -m 700 root
  mkdir -m 1777 var/tmp
  for link in /bin /sbin /lib*; do
    [[ -L $link ]] || die "$link is no link into /usr, and /usr is all that the guest gets"
    cp -P "$link" .
  done
  for name in $(cd /etc && echo ${ETC[*]}); do # unquoted: expands patterns
    [[ ! -e /etc/$name ]] || (cd /etc && cp -a --parents "$name" "$DIR/disk/root/etc")
  done
  [[ ! -d /var/lib/dpkg ]] || cp -a /var/lib/dpkg var/lib
  sed -i 's/^hosts:.*/hosts: files/' etc/nsswitch.conf # no DNS server can be reached, so wait for none
  printf '%s\n' '127.0.0.1 localhost sandbox' '::1 localhost sandbox' >etc/hosts
  echo sandbox >etc/hostname
  tr -d - </proc/sys/kernel/random/uuid >etc/machine-id # with none, this is a first boot, with its questions
  touch etc/.updated var/.updated                       # newer than /usr: no hwdb, no catalog to rebuild
  ln -s /usr/lib/systemd/system/multi-user.target etc/systemd/system/default.target
  for name in "${MASKED[@]}"; do ln -s /dev/null "etc/systemd/system/$name"; done
}

# Starts PID 1 on the disk and waits until its units have settled.
boot() {
  local pid end=$((SECONDS + 60))
  rm -f "$DIR/init.pid"
  mkdir -p "$GROUP"/{guest,exec}
  # First into the group, then the namespace for which this group is the root of the tree. In a session of
  # its own, so that a Ctrl-C in the terminal leaves the machine to be shut down in order. PID 1 is the first
  # child of who unshared the PID namespace; the shell that makes this one child does not stay.
  (
    echo 0 >"$GROUP/guest/cgroup.procs"
    exec setsid unshare --cgroup --mount --propagation private --pid --ipc --uts --net \
      sh -c '"$@" &' sh "$BASH" "$SELF" .init "$DIR"
  ) </dev/null >>"$DIR/console" 2>&1
  until pid=$(running) && [[ -S /proc/$pid/root/run/systemd/private ]]; do
    ! wait_empty 0 && ((SECONDS < end)) || die "it did not boot: $(cat "$DIR/console")"
    sleep 0.02
  done
  # A package of the host may well have a unit that cannot run in here: worth a word, but not the end.
  (inside timeout 60 systemctl is-system-running --wait) >/dev/null ||
    (inside systemctl --failed --no-pager) >&2
}

# Prints the PID of the guest's systemd. The file is not trusted: the number may be another process's by now.
running() {
  local pid
  pid=$(cat "$DIR/init.pid" 2>/dev/null) || return
  grep -qsF "/${GROUP##*/}/guest/init.scope" "/proc/$pid/cgroup" && echo "$pid"
}

# Runs as PID 1: puts the guest's file systems together, makes them the only ones, becomes systemd.
init() {
  local pid name
  read -r pid _ </proc/self/stat # from the host's /proc, so the host's number, where $$ would not do
  echo "$pid" >"$DIR/init.pid"
  cd "$DIR/disk"
  mount --bind root root # pivot_root takes nothing but a mount point
  # With relative names, as a comma in DIR would end an option.
  mount -t overlay -o lowerdir=/usr,upperdir=upper,workdir=work overlay root/usr
  cd root
  rm -f usr/sbin/policy-rc.d # of a container image; it forbids packages to start their services
  mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp # systemd makes a fresh /run and /dev/shm by itself

  # The settings of the kernel are the host's too, but for the network's; and a read-only /sys tells systemd
  # that devices are no business of this machine.
  mount -t proc -o nosuid,nodev,noexec proc proc
  mount --bind proc/sys proc/sys
  mount --bind proc/sys/net proc/sys/net
  mount -o remount,bind,ro proc/sys
  mount -t sysfs -o nosuid,nodev,noexec,ro sysfs sys
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup

  mount -t tmpfs -o mode=755,nosuid tmpfs dev
  mkdir dev/pts
  mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts # gid 5 is tty
  for name in null zero full random urandom tty; do
    touch "dev/$name"
    mount --bind "/dev/$name" "dev/$name" # mknod may be forbidden, this is not
  done
  ln -s pts/ptmx dev/ptmx
  cat /proc/sys/kernel/random/uuid >dev/boot_id # with the host's, journalctl would see all boots as one
  mount --bind dev/boot_id proc/sys/kernel/random/boot_id
  ip link set lo up
  pivot_root . mnt
  umount -l /mnt
  # As on a real machine: systemd hands mounts on to its units (LoadCredential= is one) by propagation, and
  # without it they are missing there, and nothing says so.
  mount --make-rshared /
  # `container` has systemd leave the kernel's own settings alone.
  exec "${AS_GUEST[@]}" container=sandbox /usr/lib/systemd/systemd --system
}

# Becomes a command in the guest.
inside() {
  local pid
  pid=$(running) || die "no machine is up in $DIR"
  # Not into systemd's part of the group, where the shell, which has no number in the guest, would confuse it.
  # The shell makes the one child that is in the guest's PID namespace, and waits for it. `nsenter` can fork
  # by itself, but stops when its child does, and a shutdown, which first stops every process, never ends.
  echo 0 >"$GROUP/exec/cgroup.procs"
  exec nsenter --target "$pid" --mount --pid --net --ipc --uts --cgroup --no-fork -- \
    /bin/sh -c '"$@"; exit $?' sh "${AS_GUEST[@]}" "$@"
}

# Shuts down in order, in so many seconds, and then by force. No process is left then, and no group; nor a
# mount, but for those in the host's table.
halt() {
  local pid end=$((SECONDS + $1))
  [[ -d $GROUP ]] || return 0
  if pid=$(running); then
    kill -s RTMIN+4 "$pid" # systemd's own signal for poweroff.target
    # At last it waits for all processes, but only hears of its children, and what `exec` runs is not its
    # child: without a nudge it would now and then wait for 90 s.
    until wait_empty 0 || ((SECONDS >= end)); do
      kill -s CHLD "$pid" 2>/dev/null || true
      sleep 0.05
    done
    wait_empty 0 || echo "sandbox.sh: not shut down in $1 s, killing it" >&2
  fi
  # Who is in the group is ours, where a PID from a file might have become another's. What `exec` runs needs
  # no kill: it ends with PID 1, and who waits for it after that. A 0 would be whom this namespace cannot see.
  find "$GROUP/guest" -name cgroup.procs -exec grep -hs '^[1-9]' {} + |
    xargs -r kill -KILL 2>/dev/null || true
  wait_empty 10 || die "a process in $GROUP cannot be killed"
  find "$GROUP" -depth -type d -exec rmdir {} +
}

# Waits until the group has no process; a process leaves its group after its mounts.
wait_empty() {
  local end=$((SECONDS + $1))
  while grep -q 'populated 1' "$GROUP/cgroup.events"; do
    ((SECONDS < end)) || return 1
    sleep 0.02
  done
}

up() {
  [[ -z $(ls -A "$DIR") ]] || die "$DIR is not empty"
  mkdir "$DIR/cg"
  mount -t cgroup2 sandbox "$DIR/cg" # a view of our own: the host's may be v1, hybrid, v2 or none
  format
  boot
}

down() {
  local name
  halt 10
  for name in disk cg; do # lazily, so that a file somebody has open keeps neither in the table
    ! mountpoint -q "$DIR/$name" || umount -l "$DIR/$name"
  done
  rm -f "$DIR/init.pid"
}

SELF=$(realpath "${BASH_SOURCE[0]}")
[[ $# -ge 2 ]] || die 'usage: up DIR | exec DIR CMD... | reboot DIR | down DIR'
command=$1
[[ -d $2 || $command != down ]] || exit 0
DIR=$(realpath -e "$2")
shift 2
# No other folder has these numbers, and no file needs to be found for it.
GROUP=$DIR/cg/sandbox-$(stat -c %d-%i "$DIR")
readonly SELF DIR GROUP

case $command in
  up) up ;;
  exec) inside "$@" ;;
  reboot)
    halt 100 # over the 90 s that systemd gives a unit
    boot
    ;;
  down) down ;;
  .init) init ;;
  *) die "no such command: $command" ;;
esac
