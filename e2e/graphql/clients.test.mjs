// The common frontend clients, set up as in their documentation, at both doors: data, variables and refusal codes arrive.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApolloClient, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { CombinedGraphQLErrors, ServerError } from "@apollo/client/errors";
import { Client, fetchExchange } from "@urql/core";
import { ClientError, GraphQLClient } from "graphql-request";
import { sharedDevelopment } from "../development.mjs";

const WHO = "query Who($more: Boolean!) { me { __typename id email roles @include(if: $more) } }";

const vestibule = sharedDevelopment({ public: "katherine", internal: "katherine" });
const { tokens } = vestibule;

/** The first error of a response. */
const first = ([{ message, extensions }]) => ({ message, code: extensions?.code });

/** Each sends the query and returns `{ data }` or `{ error }`. */
const clients = {
  async "@apollo/client"(uri, headers, variables) {
    const client = new ApolloClient({ cache: new InMemoryCache(), link: new HttpLink({ uri, headers }) });
    try {
      return { data: (await client.query({ query: gql(WHO), variables })).data };
    } catch (error) {
      if (CombinedGraphQLErrors.is(error)) return { error: first(error.errors) };
      if (ServerError.is(error)) return { error: first(JSON.parse(error.bodyText).errors) };
      throw error;
    } finally {
      client.stop();
    }
  },

  "@urql/core": (url, headers, variables) => urql(url, headers, variables, false),

  "@urql/core by GET": (url, headers, variables) => urql(url, headers, variables, "force"),

  async "graphql-request"(url, headers, variables) {
    try {
      return { data: await new GraphQLClient(url, { headers }).request(WHO, variables) };
    } catch (error) {
      if (error instanceof ClientError) return { error: first(error.response.errors) };
      throw error;
    }
  },
};

async function urql(url, headers, variables, preferGetMethod) {
  const client = new Client({ url, exchanges: [fetchExchange], fetchOptions: { headers }, preferGetMethod });
  const { data, error } = await client.query(WHO, variables).toPromise();
  return error ? { error: first(error.graphQLErrors) } : { data };
}

for (const door of ["public", "internal"]) {
  describe(`at the ${door} door`, () => {
    for (const [name, ask] of Object.entries(clients)) {
      const headers = (token) => ({ authorization: `Bearer ${token}` });

      test(`${name} receives data`, async () => {
        const { data, error } = await ask(vestibule[door], headers(tokens[door]), { more: true });
        assert.equal(error, undefined);
        assert.equal(data.me.email, "katherine@example.com");
        assert.deepEqual(data.me.roles, ["admin"]);
        const less = await ask(vestibule[door], headers(tokens[door]), { more: false });
        assert.equal(less.data.me.roles, undefined);
      });

      test(`${name} receives the code of a refusal`, async () => {
        assert.equal((await ask(vestibule[door], {}, { more: true })).error.code, "NO_TOKEN");
        const other = tokens[door === "public" ? "internal" : "public"];
        assert.equal((await ask(vestibule[door], headers(other), { more: true })).error.code, "WRONG_AUDIENCE");
      });

      test(`${name} receives validation errors`, async () => {
        const { error } = await ask(vestibule[door], headers(tokens[door]), { more: null });
        assert.match(error.message, /more/);
      });
    }
  });
}
