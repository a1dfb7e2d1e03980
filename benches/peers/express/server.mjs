// Express, express-jwt, graphql-http and better-sqlite3, with a log line for each request. The environment has ISSUER, AUDIENCE and DATABASE.
import { randomUUID } from 'node:crypto'
import Database from 'better-sqlite3'
import express from 'express'
import { expressjwt } from 'express-jwt'
import { GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { createHandler } from 'graphql-http/lib/use/express'
import jwks from 'jwks-rsa'

const { ISSUER, AUDIENCE, DATABASE } = process.env
const database = new Database(DATABASE, { readonly: true })
const byAuth0Id = database.prepare('SELECT id, email, name FROM users WHERE auth0_id = ?')

const User = new GraphQLObjectType({
  name: 'User',
  fields: {
    id: { type: new GraphQLNonNull(GraphQLString) },
    email: { type: GraphQLString },
    name: { type: GraphQLString },
  },
})
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({
    name: 'Query',
    fields: {
      me: {
        type: User,
        resolve: (_root, _args, { claims }) =>
          claims['https://vestibule.example/user'] ?? byAuth0Id.get(claims.sub),
      },
    },
  }),
})

const app = express()
app.get('/healthz', (_request, response) => response.end())
app.post(
  '/graphql',
  (_request, response, next) => {
    const [id, begun] = [randomUUID(), performance.now()]
    response.set('x-request-id', id)
    response.on('finish', () => {
      const ms = (performance.now() - begun).toFixed(3)
      process.stderr.write(`${new Date().toISOString()} INFO request status=${response.statusCode} ms=${ms} request=${id}\n`)
    })
    next()
  },
  expressjwt({
    secret: jwks.expressJwtSecret({ jwksUri: `${ISSUER}.well-known/jwks.json`, cache: true }),
    audience: AUDIENCE,
    issuer: ISSUER,
    algorithms: ['RS256'],
  }),
  createHandler({ schema, context: (request) => ({ claims: request.raw.auth }) }),
)
const server = app.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
