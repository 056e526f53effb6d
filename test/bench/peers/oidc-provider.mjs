import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'
import { begin, count } from './tokens.mjs'

/** oidc-provider: introspection of opaque access tokens in its in-memory adapter. */
const client = {
  client_id: 'gate',
  client_secret: 'only-for-the-benchmark',
  redirect_uris: [],
  response_types: [],
  grant_types: ['client_credentials'],
  id_token_signed_response_alg: 'ES256',
  token_endpoint_auth_method: 'client_secret_post',
}
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const provider = new Provider('http://127.0.0.1', {
  clients: [client],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' }] },
  cookies: { keys: ['only for the benchmark'] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
  },
})
const owner = await provider.Client.find(client.client_id)
const secrets = []
while (secrets.length < count)
  secrets.push(await new provider.ClientCredentials({ client: owner, scope: undefined }).save())

await begin(createServer(provider.callback()).listen(0, '127.0.0.1'), secrets)
