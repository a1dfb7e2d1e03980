// A tenant that we deployed a bundle to is, for Auth0's own deploy CLI, what the bundle says.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { root } from "../development.mjs";
import { tenant } from "./tenant.mjs";

const CODE = "exports.onExecutePostLogin = async (event, api) => {\n  api.access.deny('closed');\n};\n";
const DEPLOYER = {
  client_id: "deployer",
  client_secret: "deployer-secret",
  name: "Deployer",
  app_type: "non_interactive",
  grant_types: ["client_credentials"],
};

/** Writes files, objects as JSON, and returns their folder. */
function folder(files) {
  const folder = mkdtempSync(join(tmpdir(), "vestibule-deploy-"));
  for (const [name, content] of Object.entries(files)) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  }
  return folder;
}

const action = (name) => ({
  [`actions/${name}.json`]: {
    name,
    code: `./actions/${name}/code.js`,
    runtime: "node22",
    status: "built",
    dependencies: [],
    secrets: [],
    supported_triggers: [{ id: "post-login", version: "v3" }],
    deployed: true,
  },
  [`actions/${name}/code.js`]: CODE,
});

test("auth0-deploy-cli has nothing to change at a tenant that we deployed to", async () => {
  const scope = ["resource_servers", "clients", "client_grants", "roles", "actions"].flatMap((kind) =>
    ["read", "create", "update", "delete"].map((verb) => `${verb}:${kind}`),
  );
  const own = folder({
    "clients/deployer.json": DEPLOYER,
    "grants/deployer.json": { client_id: "deployer", audience: "##ISSUER##api/v2/", scope },
  });
  const { client_id: _, client_secret: __, ...deployer } = DEPLOYER;
  const bundle = folder({
    "resource-servers/shop.json": { name: "Shop", identifier: "https://shop.example/", scopes: [{ value: "read:orders" }] },
    "clients/deployer.json": deployer,
    "clients/shop.json": { name: "Shop app", app_type: "non_interactive", grant_types: ["client_credentials"] },
    "grants/shop.json": {
      client_id: "Shop app",
      audience: "https://shop.example/",
      scope: ["read:orders"],
      subject_type: "client",
    },
    "roles/clerk.json": {
      name: "clerk",
      description: "Clerks",
      permissions: [{ permission_name: "read:orders", resource_server_identifier: "https://shop.example/" }],
    },
    ...action("first"),
    ...action("second"),
    "triggers/triggers.json": {
      "post-login": ["second", "first"].map((name) => ({ action_name: name, display_name: name })),
    },
  });
  const state = mkdtempSync(join(tmpdir(), "vestibule-state-"));
  const { ready, stop } = await tenant([`tenant.bundle=${own}`, "tenant.issuer=https://localhost:0/"]);
  try {
    const set = {
      "store.path": join(state, "vestibule.db"),
      "targets.staging.domain": ready.domain,
      "targets.staging.client_id": "deployer",
      "targets.staging.ca_file": ready.caFile,
    };
    const vestibule = (...args) => {
      const settings = Object.entries(set).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
      const env = { ...process.env, VESTIBULE_TARGETS__STAGING__CLIENT_SECRET: "deployer-secret" };
      const program = join(root, "target", "debug", "vestibule");
      return spawnSync(program, ["--profile", "development", ...settings, "tenant", ...args, "--to", "staging", bundle], {
        cwd: root,
        encoding: "utf8",
        env,
      });
    };
    const applied = vestibule("apply", "--yes");
    assert.equal(applied.status, 0, applied.stdout + applied.stderr);
    assert.equal(vestibule("plan").status, 0);

    const config = join(state, "config.json");
    const AUTH0 = {
      AUTH0_DOMAIN: ready.domain,
      AUTH0_CLIENT_ID: "deployer",
      AUTH0_CLIENT_SECRET: "deployer-secret",
      AUTH0_INCLUDED_ONLY: ["actions", "triggers", "clients", "clientGrants", "resourceServers", "roles"],
    };
    writeFileSync(config, JSON.stringify(AUTH0));
    const cli = join(root, "e2e", "node_modules", ".bin", "a0deploy");
    const preview = () => {
      const args = ["import", "--config_file", config, "--input_file", bundle, "--dry_run=preview"];
      const env = { ...process.env, NODE_EXTRA_CA_CERTS: ready.caFile };
      const run = spawnSync(cli, args, { cwd: state, encoding: "utf8", env });
      assert.equal(run.status, 0, run.stdout + run.stderr);
      return run.stdout.match(/│ [A-Z][a-zA-Z ]+│ (CREATE|UPDATE|DELETE).*│/g) ?? [];
    };
    assert.deepEqual(preview(), []);
    // What would be found if there were a difference.
    writeFileSync(join(bundle, "actions", "first", "code.js"), `${CODE}// changed\n`);
    assert.match(preview().join("\n"), /^│ Actions +│ UPDATE +│ first +│$/);
    assert.equal(vestibule("plan").status, 2);
  } finally {
    await stop();
    for (const path of [own, bundle, state]) rmSync(path, { recursive: true });
  }
});
