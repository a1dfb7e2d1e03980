// See deploy-cli.test.mjs.
import { ManagementClient } from "auth0";

const { domain } = JSON.parse(process.env.READY);
const credentials = { clientId: "deploy", clientSecret: "dev-only-secret-of-deploy" };
const auth0 = new ManagementClient({ domain, ...credentials });
const status = (promise) => promise.then(() => 200, (error) => error.statusCode);
const all = async (page) => {
  const items = [];
  for await (const item of await page) items.push(item);
  return items;
};

const connection = await auth0.connections.create({ name: "e2e-db", strategy: "auth0", enabled_clients: ["deploy"] });
const user = await auth0.users.create({ email: "new@example.com", password: "Long enough 1", connection: connection.name });
const again = { email: "new@example.com", password: "Long enough 1", connection: connection.name };
const id = user.user_id;
await auth0.users.update(id, { app_metadata: { plan: "free", trial: true } });
const merged = await auth0.users.update(id, { app_metadata: { seats: 2, trial: null } });
const { blocked } = await auth0.users.update(id, { blocked: true });
for (const number of [0, 1, 2]) {
  await auth0.users.create({ email: `a${number}@example.com`, password: "Long enough 1", connection: connection.name });
}
const search = (q) => all(auth0.users.list({ q, sort: "email:1", per_page: 2 }));

const api = await auth0.resourceServers.create({ identifier: "https://e2e.example/", scopes: [{ value: "read:x" }] });
const role = await auth0.roles.create({ name: "e2e" });
const permission = { permission_name: "read:x", resource_server_identifier: api.identifier };
await auth0.roles.permissions.add(role.id, { permissions: [permission] });
await auth0.users.roles.assign(id, { roles: [role.id] });
const client = await auth0.clients.create({ name: "e2e", app_type: "non_interactive" });
await auth0.clientGrants.create({ client_id: client.client_id, audience: api.identifier, scope: ["read:x"] });
const token = await fetch(`https://${domain}/oauth/token`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({
    grant_type: "client_credentials",
    client_id: client.client_id,
    client_secret: client.client_secret,
    audience: api.identifier,
  }),
});

const module = await auth0.actions.modules.create({ name: "e2e-module", code: "module.exports = 1;" });
const version = await auth0.actions.modules.versions.create(module.id);
const action = await auth0.actions.create({
  name: "e2e-action",
  code: "exports.onExecutePostLogin = async () => {};",
  supported_triggers: [{ id: "post-login", version: "v3" }],
});
const built = await auth0.actions.get(action.id);
await auth0.actions.deploy(action.id);
const bindings = [{ ref: { type: "action_id", value: action.id }, display_name: "e2e-action" }];
const bound = await auth0.actions.triggers.bindings.updateMany("post-login", { bindings });
const organization = await auth0.organizations.create({ name: "e2e" });
await auth0.organizations.members.create(organization.id, { members: [id] });
await auth0.organizations.enabledConnections.add(organization.id, { connection_id: connection.id });

const result = {
  created: user.email,
  found: (await search("email:new*")).map((found) => found.email),
  byEmail: (await auth0.users.listUsersByEmail({ email: "new@example.com" })).length,
  merged: merged.app_metadata,
  blocked,
  pages: (await search("email:a*@example.com")).map((found) => found.email),
  roles: (await all(auth0.users.roles.list(id))).map((found) => found.name),
  rolePermissions: (await all(auth0.roles.permissions.list(role.id))).map((found) => found.permission_name),
  conflict: await status(auth0.users.create(again)),
  scope: (await token.json()).scope,
  pending: action.status,
  built: built.status,
  bound: bound.bindings.map((binding) => binding.action.name),
  members: (await all(auth0.organizations.members.list(organization.id))).map((member) => member.email),
  connections: (await all(auth0.organizations.enabledConnections.list(organization.id))).map((found) => found.connection.name),
  module: version.version_number,
};
await auth0.actions.triggers.bindings.updateMany("post-login", { bindings: [] });
await auth0.actions.delete(action.id);
await auth0.users.delete(id);
console.log(JSON.stringify({ ...result, missing: await status(auth0.users.get(id)) }));
