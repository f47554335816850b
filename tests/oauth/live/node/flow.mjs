// Runs the whole flow of a client with one of two libraries; prints what happened as JSON.
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'

const { library, issuer, clientId, jwk, resource } = JSON.parse(process.argv[2])
const algorithms = {
  EC: { name: 'ECDSA', namedCurve: 'P-256' },
  OKP: { name: 'Ed25519' },
  RSA: { name: 'RSA-PSS', hash: 'SHA-256' },
}
const { kid, alg, ...members } = jwk
const key = await crypto.subtle.importKey('jwk', members, algorithms[jwk.kty], false, ['sign'])
const insecure = { [oauth.allowInsecureRequests]: true } // http on loopback
const call = new URL(resource + '/whoami')
const scope = 'exchange:request'

async function withOpenidClient() {
  const config = await client.discovery(new URL(issuer), clientId, {}, client.PrivateKeyJwt({ key, kid }), {
    algorithm: 'oauth2',
    execute: [client.allowInsecureRequests],
  })
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
  const tokens = await client.clientCredentialsGrant(config, { scope, resource }, { DPoP })
  const answer = await client.fetchProtectedResource(config, tokens.access_token, call, 'GET', undefined, undefined, { DPoP })
  const before = await client.tokenIntrospection(config, tokens.access_token)
  await client.tokenRevocation(config, tokens.access_token)
  const after = await client.tokenIntrospection(config, tokens.access_token)
  return { type: tokens.token_type, caller: await answer.json(), before: before.active, after: after.active }
}

async function withOauth4webapi() {
  const as = await oauth.processDiscoveryResponse(
    new URL(issuer),
    await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...insecure }),
  )
  const rs = await oauth.processResourceDiscoveryResponse(
    new URL(resource),
    await oauth.resourceDiscoveryRequest(new URL(resource), insecure),
  )
  const me = { client_id: clientId }
  const auth = oauth.PrivateKeyJwt({ key, kid })
  const DPoP = oauth.DPoP(me, await oauth.generateKeyPair('ES256'))
  const challenged = async (request) => {
    try {
      return await request()
    } catch (error) {
      if (!oauth.isDPoPNonceError(error)) throw error
      return request()
    }
  }
  const tokens = await challenged(async () =>
    oauth.processClientCredentialsResponse(
      as,
      me,
      await oauth.clientCredentialsGrantRequest(as, me, auth, { scope, resource }, { DPoP, ...insecure }),
    ),
  )
  let sent
  const watch = {
    [oauth.customFetch]: (url, options) => {
      sent = new Request(url, { method: options.method, headers: options.headers })
      return fetch(url, options)
    },
  }
  const answer = await challenged(() =>
    oauth.protectedResourceRequest(tokens.access_token, 'GET', call, undefined, undefined, { DPoP, ...insecure, ...watch }),
  )
  // Its own judge of RFC 9068 and RFC 9449 must take our token and the proof that we took.
  const claims = await oauth.validateJwtAccessToken(as, sent, rs.resource, { requireDPoP: true, ...insecure })
  const introspect = async () =>
    oauth.processIntrospectionResponse(
      as,
      me,
      await oauth.introspectionRequest(as, me, auth, tokens.access_token, insecure),
    )
  const before = await introspect()
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, me, auth, tokens.access_token, insecure))
  const after = await introspect()
  return {
    type: tokens.token_type,
    caller: await answer.json(),
    before: before.active,
    after: after.active,
    judged: claims.client_id,
  }
}

const flow = { 'openid-client': withOpenidClient, oauth4webapi: withOauth4webapi }[library]
console.log(JSON.stringify(await flow()))
