/**
 * So many connections may wait until they are accepted, as with a socket that systemd opens; the kernel takes no more than
 * net.core.somaxconn. Node's 511 are few for a Unix socket: who connects beyond them without blocking is refused at once.
 */
export const BACKLOG = 4096
