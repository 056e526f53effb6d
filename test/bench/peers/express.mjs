import express from 'express'
import passport from 'passport'
import { Strategy } from 'passport-http-bearer'
import { openTokens } from './level.mjs'
import { begin, whoIs } from './tokens.mjs'

/** Express, passport, passport-http-bearer, LevelDB. */
const { secrets, find } = await openTokens()
passport.use(
  new Strategy((secret, done) => {
    find(secret).then((record) => done(null, record ?? false), done)
  }),
)
const app = express()
app.use(express.json())
app.post('/api/', passport.authenticate('bearer', { session: false }), (req, res) => {
  res.json(whoIs(req.user))
})
await begin(app.listen(0, '127.0.0.1'), secrets)
