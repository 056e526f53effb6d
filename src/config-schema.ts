import * as settings from './settings.ts'

const reloads = { reloads: true }

/** Every key of the configuration with its default. Where a place depends on who starts the daemon, the default is empty here. */
export const SCHEMA = {
  listen: {
    socket: settings.path(''),
    socket_mode: settings.fileMode(0o660),
    socket_group: settings.optionalName(undefined),
    port: settings.port(8377),
  },
  limits: {
    body: settings.size(1024 ** 2, reloads),
    depth: settings.count(64, reloads),
    batch: settings.count(1000, reloads),
    headers: settings.size(16 * 1024),
    connections: settings.count(10_000, reloads),
    connections_per_address: settings.count(256, reloads),
    in_flight: settings.count(256, reloads),
    header_timeout: settings.timeLimit(10_000),
    body_timeout: settings.timeLimit(30_000),
    idle: settings.timeLimit(120_000),
    frame: settings.size(1024 ** 2),
  },
  tokens: {
    retain_expired: settings.duration(7 * 86_400_000, reloads),
    last_access_flush: settings.timeLimit(5_000),
    cache: settings.count(100_000),
  },
  zabbix: {
    anonymous_methods: settings.names(['apiinfo.version', 'user.checkAuthentication'], reloads),
  },
} satisfies settings.Schema

export type Values = settings.ValuesOf<typeof SCHEMA>
