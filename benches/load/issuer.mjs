// The tenant of all programs: one RSA key, tokens of any claims, and a profile for every user. Prints its issuer and the
// modulus of its key. Without dependencies.
import { createServer } from 'node:http'
import { createSign, generateKeyPairSync } from 'node:crypto'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'RS256', use: 'sig' }
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const header = encode({ alg: 'RS256', typ: 'JWT', kid: jwk.kid })

function sign(claims) {
  const message = `${header}.${encode(claims)}`
  return `${message}.${createSign('RSA-SHA256').update(message).sign(privateKey, 'base64url')}`
}

async function answer(request) {
  const path = decodeURIComponent(request.url.split('?')[0])
  if (path === '/.well-known/openid-configuration') return { issuer, jwks_uri: `${issuer}.well-known/jwks.json` }
  if (path === '/.well-known/jwks.json') return { keys: [jwk] }
  if (path === '/oauth/token') return { access_token: sign({}), token_type: 'Bearer', expires_in: 86_400 }
  if (path === '/sign') return JSON.parse(Buffer.concat(await request.toArray())).map(sign)
  const user_id = path.match(/^\/api\/v2\/users\/(.+)$/)?.[1]
  return user_id && { user_id, email: `${user_id.split('|')[1]}@first.example`, email_verified: true, name: 'Ada Lovelace' }
}

let issuer
const server = createServer(async (request, response) => {
  const body = await answer(request)
  response.writeHead(body ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? {}))
})
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}/`
  console.log(issuer)
  console.log(jwk.n)
})
