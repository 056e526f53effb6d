import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { type Config, loadConfig } from '../../src/config.ts'
import { SCHEMA } from '../../src/config-schema.ts'
import { Complaint } from '../../src/protocol/complaint.ts'
import { postern, temporaryDirectory } from '../support/daemon.ts'
import { holds } from '../support/property.ts'
import { type File, FOREIGN_TOML, KNOWN_PLACES, type Row, toToml, validFile } from './config-files.ts'
import { mutated } from './json-texts.ts'

const directory = temporaryDirectory({ after })
const file = join(directory, 'postern.toml')
const flags = { config: file, stateDir: join(directory, 'state') }

function load(text: string): Config | Complaint {
  writeFileSync(file, text)
  try {
    return loadConfig(flags, 'daemon', {}).config
  } catch (thrown) {
    assert.ok(thrown instanceof Complaint, (thrown as Error).stack)
    return thrown
  }
}

/** Says in which file, in one sentence, and nothing of where in the program that was noticed. */
function assertPlain({ message, hint, exitCode }: Complaint): void {
  assert.ok(message.includes(file), message)
  assert.doesNotMatch(`${message} ${hint ?? ''}`, /\n +at |undefined|\[object |TypeError|RangeError/)
  assert.equal(exitCode, 1)
}

/** Whatever was written, no value is one that nothing was meant to be. */
function assertSound(value: unknown, where: string): void {
  if (typeof value === 'number') assert.ok(value >= 0, `${where} is ${value}`)
  if (typeof value !== 'object' || value === null) return
  assert.equal(value instanceof Date, false, where)
  assert.ok(Object.isFrozen(value), where)
  for (const [key, inner] of Object.entries(value)) assertSound(inner, `${where}.${key}`)
}

function assertMeant(values: unknown, row: Row): void {
  for (const [key, { meant }] of Object.entries(row))
    assert.deepEqual(structuredClone((values as Record<string, unknown>)[key]), meant, key)
}

/** A socket is found from wherever the daemon was started. */
function inPlace(section: string, row: Row): Row {
  const { socket, ...rest } = row
  if (section !== 'listen' || socket === undefined) return row
  return { ...rest, socket: { ...socket, meant: resolve(String(socket.meant)) } }
}

const edited = fc
  .record({
    valid: validFile,
    places: fc.array(fc.constantFrom(...KNOWN_PLACES), { minLength: 1, maxLength: 2 }),
    toml: FOREIGN_TOML,
  })
  .map(({ valid, places, toml }) =>
    toToml(
      valid,
      places.map((place) => ({ place, toml })),
    ),
  )

describe('the configuration file', () => {
  it('is taken as it is meant, where every key has a value of its kind', () =>
    holds(
      fc.property(validFile, (drawn: File) => {
        const config = load(toToml(drawn))
        if (config instanceof Complaint) throw config
        assertSound(config, 'config')
        for (const [section, rows] of Object.entries(drawn)) {
          const values = config[section as keyof typeof SCHEMA] as unknown
          if (!Array.isArray(rows)) assertMeant(values, inPlace(section, rows as Row))
          else for (const [at, row] of rows.entries()) assertMeant((values as unknown[])[at], row)
        }
      }),
      250,
    ))

  it('with something else in it is taken, or refused in plain words', () =>
    holds(
      fc.property(
        fc.oneof({ weight: 4, arbitrary: edited }, { weight: 1, arbitrary: mutated(edited) }),
        (text) => {
          const config = load(text)
          if (config instanceof Complaint) assertPlain(config)
          else assertSound(config, 'config')
        },
      ),
      1000,
    ))

  it('names the nearest key for one that there is not', () =>
    holds(
      fc.property(
        fc.constantFrom(...KNOWN_PLACES),
        fc.nat(),
        fc.constantFrom('', 'x', '_', 'é', '__proto__'),
        fc.option(fc.constantFrom('constructor', '__proto__', 'toString'), { freq: 4 }),
        ({ section, key }, at, letter, inherited) => {
          const place = at % key.length
          const typo = key.slice(0, place) + letter + key.slice(place + (letter === '' ? 1 : 0))
          const wrong = inherited ?? typo
          const head = section in SCHEMA ? `[${section}]` : `[[${section}]]`
          fc.pre(wrong !== '' && !KNOWN_PLACES.some((one) => one.section === section && one.key === wrong))
          const told = load(`${head}\n${JSON.stringify(wrong)} = 1\n`)
          assert.ok(told instanceof Complaint)
          assertPlain(told)
          assert.match(told.message, /unknown key/)
          assert.match(told.hint ?? '', /^did you mean [\w.]+\?$/)
        },
      ),
      150,
    ))

  it('has sections that are sections', () =>
    holds(
      fc.property(fc.constantFrom(...KNOWN_PLACES), FOREIGN_TOML, ({ section }, toml) => {
        fc.pre(!/^\{|^\[/.test(toml))
        const told = load(`${section} = ${toml}\n`)
        assert.ok(told instanceof Complaint, `${section} was taken`)
        assertPlain(told)
      }),
      150,
    ))
})

describe('postern config', () => {
  it('shows what is taken, and says of anything else what is wrong, with the exit code for it', () =>
    holds(
      fc.asyncProperty(
        fc.oneof(
          edited,
          validFile.map((drawn) => toToml(drawn)),
        ),
        async (text) => {
          const config = load(text)
          const { code, stdout, stderr } = await postern(['config', '--config', file, '--json'])
          if (!(config instanceof Complaint)) {
            assert.deepEqual([code, stderr, JSON.parse(stdout).file], [0, '', file])
            return
          }
          assert.deepEqual([code, stdout], [1, ''])
          assert.match(stderr, /^postern: .+\n(hint: .+\n)?$/)
        },
      ),
      6,
    ))
})
