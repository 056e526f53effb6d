import type { Server } from 'node:net'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { AddressRanges } from '../auth/ranges.ts'
import { addressOf, type Inherited } from '../linux/activation.ts'
import { Complaint } from '../protocol/complaint.ts'
import { Certificate, type CertificateFiles } from './certificate.ts'
import { openRemote } from './listeners.ts'
import { type Place, parsePlace } from './place.ts'
import type { Entrance } from './reception.ts'

/** One `[[remote]]` of the configuration. */
export interface RemoteValues {
  readonly listen: string
  /** A path, or without a slash the name of one of systemd's credentials. */
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly trusted_proxies: readonly string[]
  readonly socket_mode: number
  readonly socket_group: string | undefined
}

/** The remote door: a listener for each `[[remote]]`. Nobody is local here, whoever connects. */
export class RemoteDoor {
  readonly #credentialsDir: string | undefined
  #remotes: readonly Remote[] = []

  constructor(credentialsDir: string | undefined) {
    this.#credentialsDir = credentialsDir
  }

  /** Returns what takes our own Unix sockets away. Throws Complaint. */
  async open(
    values: readonly RemoteValues[],
    inherited: Inherited,
    create: (entrance: Entrance, certificate: Certificate | undefined, at: number) => Server,
  ): Promise<() => void> {
    this.#remotes = values.map((one) => this.#build(one))
    this.#refuseUnclaimed(inherited)
    const removals: (() => void)[] = []
    for (const [at, { values: one, place, certificate, entrance }] of this.#remotes.entries()) {
      const file = { mode: one.socket_mode, group: one.socket_group }
      removals.push(await openRemote(create(entrance, certificate, at), place, file, inherited))
    }
    return () => {
      for (const remove of removals) remove()
    }
  }

  /** For sockets that are open already: what there is to know about each, by its number. Throws Complaint. */
  builder(
    values: readonly RemoteValues[],
  ): (at: number) => readonly [entrance: Entrance, certificate: Certificate | undefined] {
    this.#remotes = values.map((one) => this.#build(one))
    return (at) => {
      const { entrance, certificate } = this.#remotes[at] as Remote
      return [entrance, certificate]
    }
  }

  /** Clients of a socket that nobody serves would wait for ever. */
  #refuseUnclaimed({ remote }: Inherited): void {
    for (const fd of remote) {
      const address = addressOf(fd)
      if (this.#remotes.some(({ place }) => isDeepStrictEqual(place, address))) continue
      throw new Complaint(
        `systemd hands over a socket for the remote door, ${inWords(address)}, and no [[remote]] has that address`,
        'add [[remote]] with the address of the socket as listen, or disable the socket unit',
      )
    }
  }

  #build(values: RemoteValues): Remote {
    const place = parsePlace(values.listen) as Place // checked with the configuration
    const files = this.#filesOf(values)
    const remote: Remote = {
      values,
      place,
      certificate: files && new Certificate(files),
      proxies: new AddressRanges(values.trusted_proxies),
      entrance: {
        door: 'remote',
        family: 'path' in place ? 'unix' : 'ip',
        proxies: () => remote.proxies,
        plain: files === undefined,
      },
    }
    return remote
  }

  /** Throws Complaint for what could not be opened after a restart, as far as that can be told: certificates and keys. */
  check(values: readonly RemoteValues[]): void {
    for (const one of values) this.#build(one)
  }

  /**
   * Reads certificates again, and what proxies to trust. `values` are as many as before, with the same places. Says what
   * is new, and how to take it over. Throws Complaint, and everything stays.
   */
  prepare(values: readonly RemoteValues[]): { readonly renewed: readonly string[]; apply(): void } {
    const changes = this.#remotes.map((remote, at) => {
      const next = values[at] ?? remote.values
      const files = this.#filesOf(next)
      const proxies = new AddressRanges(next.trusted_proxies)
      return { remote, proxies, certificate: files && remote.certificate?.prepare(files) }
    })
    return {
      renewed: changes.flatMap(({ certificate }, at) =>
        certificate?.renewed ? [`remote[${at}] certificate`] : [],
      ),
      apply() {
        for (const { remote, proxies, certificate } of changes) {
          remote.proxies = proxies
          certificate?.apply()
        }
      },
    }
  }

  #filesOf({ cert, key }: RemoteValues): CertificateFiles | undefined {
    if (cert === undefined || key === undefined) return undefined
    return { cert: this.#resolve(cert), key: this.#resolve(key) }
  }

  #resolve(name: string): string {
    return name.includes('/') || this.#credentialsDir === undefined ? name : join(this.#credentialsDir, name)
  }
}

function inWords(place: Place | undefined): string {
  if (place === undefined) return 'of a kind that is not known'
  if ('path' in place) return `unix:${place.path}`
  return place.host.includes(':') ? `[${place.host}]:${place.port}` : `${place.host}:${place.port}`
}

interface Remote {
  readonly values: RemoteValues
  readonly place: Place
  readonly certificate: Certificate | undefined
  readonly entrance: Entrance
  proxies: AddressRanges
}
