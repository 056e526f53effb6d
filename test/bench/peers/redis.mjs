import { Redis } from 'ioredis'
import { serveBare } from './bare.mjs'
import { begin, keyOf, liveRecord, makeTokens, whoIs } from './tokens.mjs'

/** node:http in front of redis: a GET at each call. One more argument: redis's Unix socket. */
const redis = new Redis(process.argv[4])
const tokens = makeTokens()
await redis.mset(new Map(tokens.map(({ key, value }) => [key, value])))

const server = serveBare(async (secret) => {
  const record = liveRecord(await redis.get(keyOf(secret)))
  return record && whoIs(record)
})
const secrets = tokens.map(({ secret }) => secret)
await begin(server, secrets)
