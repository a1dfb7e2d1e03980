// Auth0's deploy CLI: our bundle imported into an empty tenant, exported, and compared. And Auth0's management client.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { root } from "../development.mjs";
import { tenant } from "./tenant.mjs";

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "vestibule-deploy-"));
let ready;
let stop;

/** Writes files below a folder: texts, or values as JSON. */
function write(base, files) {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(base, name, ".."), { recursive: true });
    writeFileSync(join(base, name), typeof content === "string" ? content : JSON.stringify(content));
  }
}

before(async () => {
  const empty = join(folder, "empty");
  write(empty, {
    "clients/Deploy.json": {
      client_id: "deploy",
      client_secret: "dev-only-secret-of-deploy",
      name: "Deploy",
      app_type: "non_interactive",
      grant_types: ["client_credentials"],
    },
    "grants/Deploy.json": { client_id: "deploy", audience: "##ISSUER##api/v2/", allow_all_scopes: true },
  });
  ({ ready, stop } = await tenant([`tenant.bundle=${empty}`, "tenant.issuer=https://localhost:0/"]));
});
after(async () => {
  await stop?.();
  rmSync(folder, { recursive: true });
});

const environment = () => ({ ...process.env, NODE_EXTRA_CA_CERTS: ready.caFile, READY: JSON.stringify(ready) });

/** Runs the deploy CLI with the arguments. */
async function deploy(...args) {
  const config = join(folder, "config.json");
  const { issuer } = ready;
  write(folder, {
    "config.json": {
      AUTH0_DOMAIN: ready.domain,
      AUTH0_CLIENT_ID: "deploy",
      AUTH0_CLIENT_SECRET: "dev-only-secret-of-deploy",
      // The preview compares with the list of connections, which has no `enabled_clients`, at Auth0 neither.
      AUTH0_IGNORE_DRY_RUN_FIELDS: { databases: ["enabled_clients"] },
      AUTH0_KEYWORD_REPLACE_MAPPINGS: {
        ISSUER: issuer,
        TOKEN_URL: `${issuer}oauth/token`,
        INTERNAL_API: "http://127.0.0.1:4001/graphql",
        SIGNUP_URL: "",
      },
    },
  });
  const program = join(root, "e2e", "node_modules", ".bin", "a0deploy");
  const { stdout, stderr } = await run(program, [...args, "--config_file", config, "--env", "false"], { env: environment() });
  return stdout + stderr;
}

/** The files below a folder, by their paths. */
function files(base, name = ".") {
  const path = join(base, name);
  if (!statSync(path).isDirectory()) return { [name]: readFileSync(path, "utf8") };
  return Object.assign({}, ...readdirSync(path).map((entry) => files(base, join(name, entry))));
}

test("the deploy CLI imports the fixtures' bundle and exports it again without a difference", async () => {
  const bundle = join(folder, "bundle");
  cpSync(join(root, "fixtures", "tenant"), bundle, { recursive: true });
  write(bundle, {
    "actions/enrich.json": {
      name: "enrich",
      code: "./actions/enrich/code.js",
      runtime: "node22",
      dependencies: [{ name: "lodash", version: "4.17.21" }],
      secrets: [{ name: "KEY", value: "v" }],
      supported_triggers: [{ id: "post-login", version: "v3" }],
      deployed: true,
    },
    "actions/enrich/code.js": "exports.onExecutePostLogin = async () => {};\n",
    "triggers/triggers.json": { "post-login": [{ action_name: "enrich", display_name: "enrich" }] },
    "database-connections/Username-Password-Authentication/database.json": {
      name: "Username-Password-Authentication",
      strategy: "auth0",
      enabled_clients: ["Frontend"],
      options: { passwordPolicy: "good", mfa: { active: true, return_enroll_settings: true }, brute_force_protection: true },
      realms: ["Username-Password-Authentication"],
    },
    "organizations/acme.json": {
      name: "acme",
      display_name: "Acme",
      connections: [{ name: "Username-Password-Authentication", assign_membership_on_login: true }],
    },
  });
  assert.match(await deploy("import", "--input_file", bundle), /Import Successful/);
  const [first, second] = ["first", "second"].map((name) => join(folder, name));
  assert.match(await deploy("export", "--format", "directory", "--output_folder", first), /Export Successful/);
  assert.match(await deploy("import", "--input_file", first), /Import Successful/);
  await deploy("export", "--format", "directory", "--output_folder", second);
  assert.deepEqual(files(second), files(first));
  const exported = files(first);
  for (const rule of ["populate-profile", "track-sign-up", "user-in-token"]) {
    assert.equal(exported[`rules/${rule}.js`], readFileSync(join(bundle, "rules", `${rule}.js`), "utf8"), rule);
  }
  assert.equal(exported["actions/enrich/code.js"], "exports.onExecutePostLogin = async () => {};\n");
  const roles = JSON.parse(exported["roles/support.json"]).permissions.map((permission) => permission.permission_name);
  assert.deepEqual(roles.sort(), ["audit:read", "users:read"]);
  assert.match(await deploy("import", "--input_file", first, "--dry_run"), /No changes detected/);
});

test("auth0's management client", async () => {
  const { stdout } = await run(process.execPath, [join(import.meta.dirname, "management.mjs")], { env: environment() });
  const result = JSON.parse(stdout);
  assert.deepEqual(result, {
    created: "new@example.com",
    found: ["new@example.com"],
    byEmail: 1,
    merged: { plan: "free", seats: 2 },
    blocked: true,
    pages: ["a0@example.com", "a1@example.com", "a2@example.com"],
    roles: ["e2e"],
    rolePermissions: ["read:x"],
    conflict: 409,
    scope: "read:x",
    pending: "pending",
    built: "built",
    bound: ["e2e-action"],
    members: ["new@example.com"],
    connections: ["e2e-db"],
    module: 1,
    missing: 404,
  });
});
