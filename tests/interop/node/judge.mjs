// Judges documents with npm `jose`, records with `@sd-jwt/core`; reads JSON from standard input, prints JSON.
import { readFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { SignJWT, calculateJwkThumbprint, compactVerify, importJWK } from 'jose'
import { SDJwtInstance } from '@sd-jwt/core'

const { documents = [], records = [], sign } = JSON.parse(readFileSync(0, 'utf8'))
const text = (bytes) => new TextDecoder().decode(bytes)

async function judge({ token, jwk, alg }) {
  const { payload, protectedHeader } = await compactVerify(token, await importJWK(jwk, alg), { algorithms: [alg] })
  return { header: protectedHeader, payload: JSON.parse(text(payload)), thumbprint: await calculateJwkThumbprint(jwk) }
}

async function claimsOf({ token, jwk, alg }) {
  const key = await importJWK(jwk, alg)
  const reader = new SDJwtInstance({
    hashAlg: 'sha-256',
    hasher: (data) => new Uint8Array(createHash('sha256').update(data).digest()),
    verifier: async (data, signature) =>
      compactVerify(`${data}.${signature}`, key, { algorithms: [alg] }).then(
        () => true,
        () => false,
      ),
  })
  return (await reader.verify(token)).payload
}

const said = { documents: [], records: [] }
for (const document of documents) said.documents.push(await judge(document))
for (const record of records) said.records.push(await claimsOf(record))
if (sign) {
  const { payload, jwk, header } = sign
  said.signed = await new SignJWT(payload).setProtectedHeader(header).sign(await importJWK(jwk, header.alg))
}
console.log(JSON.stringify(said))
