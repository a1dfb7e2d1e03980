// Clients that demand https: Auth0's SDK for Node, and openid-client. In a process that trusts the tenant's authority.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { tenant } from "./tenant.mjs";

const run = promisify(execFile);
let ready;
let stop;

before(async () => {
  ({ ready, stop } = await tenant(["tenant.issuer=https://localhost:0/"]));
});
after(() => stop?.());

/** Runs a script of this folder with the tenant's authority trusted. It prints JSON. */
async function script(name) {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: ready.caFile, READY: JSON.stringify(ready) };
  const { stdout } = await run(process.execPath, [join(import.meta.dirname, name)], { env });
  return JSON.parse(stdout);
}

test("auth0's authentication client", async () => {
  assert.deepEqual(await script("auth0.mjs"), {
    machine: "Bearer",
    user: true,
    refreshed: true,
    reused: "invalid_grant",
    wrongPassword: "invalid_grant",
    signUp: "new@example.com",
    reset: 200,
  });
});

test("openid-client: code with PKCE, user info, refresh, revocation, logout URL", async () => {
  const result = await script("openid-client.mjs");
  assert.equal(result.sub, "auth0|ada");
  assert.equal(result.email, "ada@example.com");
  assert.equal(result.rotated, true);
  assert.equal(result.revoked, "invalid_grant");
  assert.ok(result.logout.startsWith(`${ready.issuer}oidc/logout?id_token_hint=`), result.logout);
});

test("a client without the authority is refused by TLS", async () => {
  const env = { ...process.env, READY: JSON.stringify(ready) };
  await assert.rejects(run(process.execPath, [join(import.meta.dirname, "openid-client.mjs")], { env }));
});
