import bearerAuth from '@fastify/bearer-auth'
import fastify from 'fastify'
import { openTokens } from './level.mjs'
import { begin, whoIs } from './tokens.mjs'

/** Fastify, @fastify/bearer-auth, LevelDB. */
const { secrets, find } = await openTokens()
const app = fastify()
app.register(bearerAuth, {
  keys: new Set(),
  auth: async (secret, req) => {
    req.token = await find(secret)
    return req.token !== undefined
  },
})
app.register(async (routes) => {
  routes.post('/api/', async (req) => whoIs(req.token))
})
await app.listen({ port: 0, host: '127.0.0.1' })
await begin(app.server, secrets)
