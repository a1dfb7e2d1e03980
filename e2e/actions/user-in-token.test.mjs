// The post-login Action in docs/actions, with stubs of Auth0's `event` and `api`, against the real Internal API. It sets the
// same claims as the rule of the same name, which the dev tenant runs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import vm from "node:vm";
import { AUDIENCES, development, root } from "../development.mjs";

const NAMESPACE = "https://vestibule.example/";
const source = readFileSync(join(root, "docs", "actions", "user-in-token.js"), "utf8");

let vestibule;
before(async () => {
  vestibule = await development();
});
after(() => vestibule?.stop());

/** A stub of `api.cache`, with Auth0's limits. */
function cache() {
  const entries = new Map();
  return {
    entries,
    get: (key) => entries.get(key),
    set(key, value, { ttl }) {
      assert.ok(Buffer.byteLength(key) <= 64 && Buffer.byteLength(value) <= 4096, "over the cache's limits");
      entries.set(key, { value, expires_at: Date.now() + ttl });
      return { type: "success" };
    },
    delete: (key) => entries.delete(key),
  };
}

/** Runs the file as Auth0 does, as a CommonJS module with Node's globals. Returns its claims and warnings. */
async function run(user, roles, { api = {}, secrets = {} } = {}) {
  const claims = {};
  const warnings = [];
  const module = { exports: {} };
  const console = { warn: (...words) => warnings.push(words.join(" ")) };
  const globals = { exports: module.exports, module, console, fetch, AbortSignal };
  vm.runInNewContext(source, globals, { filename: "user-in-token.js" });
  const event = {
    user: { app_metadata: {}, user_metadata: {}, ...user },
    authorization: roles && { roles },
    secrets: {
      NAMESPACE,
      TOKEN_URL: new URL("oauth/token", vestibule.tenant).href,
      INTERNAL_API: vestibule.internal,
      INTERNAL_AUDIENCE: AUDIENCES.internal,
      CLIENT_ID: "rules",
      CLIENT_SECRET: "dev-only-secret-of-rules",
      ...secrets,
    },
  };
  const accessToken = { setCustomClaim: (name, value) => (claims[name] = value) };
  await module.exports.onExecutePostLogin(event, { accessToken, cache: cache(), ...api });
  // As JSON writes them into a token.
  return { claims: JSON.parse(JSON.stringify(claims)), warnings };
}

const payload = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));

async function me(token) {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${token}` };
  const body = JSON.stringify({ query: "{ me { id email } }" });
  return (await fetch(vestibule.public, { method: "POST", headers, body })).json();
}

for (const [name, roles] of [
  ["grace", []],
  ["katherine", ["admin"]],
]) {
  test(`the Action sets the same claims for ${name} as the rule, and they resolve to the current user`, async () => {
    // The first request inserts or claims the row; at the next login the rule finds it.
    const { data } = await me(await vestibule.token(name));
    const token = await vestibule.token(name);
    const claimsOfRule = payload(token);
    const expected = Object.fromEntries(Object.entries(claimsOfRule).filter(([claim]) => claim.startsWith(NAMESPACE)));
    const user = { user_id: claimsOfRule.sub, email: `${name}@example.com`, email_verified: true };
    const { claims, warnings } = await run(user, roles);
    assert.deepEqual(warnings, []);
    assert.deepEqual(claims, expected);
    const { id, auth0Id, email } = claims[`${NAMESPACE}user`];
    assert.deepEqual([id, auth0Id, email], [data.me.id, claimsOfRule.sub, user.email]);
    assert.deepEqual(await me(token), { data });
  });
}

test("new and blocked users get roles and email, but no user claim", async () => {
  const { claims, warnings } = await run({ user_id: "auth0|unknown", email: "n@example.com", email_verified: false });
  assert.deepEqual(warnings, []);
  assert.deepEqual(claims, {
    [`${NAMESPACE}roles`]: [],
    [`${NAMESPACE}email`]: "n@example.com",
    [`${NAMESPACE}email_verified`]: false,
  });
  const { sub } = payload(await vestibule.token("mallory"));
  const blocked = await run({ user_id: sub });
  assert.deepEqual(blocked, { claims: { [`${NAMESPACE}roles`]: [] }, warnings: [] });
});

test("the machine token is cached, and replaced once it is refused", async () => {
  const api = { cache: cache() };
  const user = { user_id: "auth0|unknown" };
  await run(user, [], { api });
  const [{ value: first }] = api.cache.entries.values();
  assert.equal(payload(first).aud, AUDIENCES.internal);
  assert.deepEqual((await run(user, [], { api, secrets: { CLIENT_SECRET: "wrong" } })).warnings, []);
  api.cache.set("machine-token", "a.b.c", { ttl: 1000 });
  assert.match((await run(user, [], { api })).warnings[0], /without the user.* answered 401/);
  assert.deepEqual((await run(user, [], { api })).warnings, []);
});

test("logins succeed while the Internal API is down", async () => {
  const { claims, warnings } = await run({ user_id: "auth0|x" }, ["support"], {
    secrets: { INTERNAL_API: "http://127.0.0.1:1/graphql" },
  });
  assert.deepEqual(claims, { [`${NAMESPACE}roles`]: ["support"] });
  assert.equal(warnings.length, 1);
});
