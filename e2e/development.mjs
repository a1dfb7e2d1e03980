// Starts `vestibule dev` on free ports and in a temporary folder, and reads its URLs from its output.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before } from "node:test";

export const root = join(import.meta.dirname, "..");
const program = join(root, "target", "debug", "vestibule");

/** The audiences in `config/development.toml`. */
export const AUDIENCES = {
  public: "https://public.vestibule.example/",
  internal: "https://internal.vestibule.example/",
};

/**
 * Starts the server and waits for the last line of its introduction. `set` holds more `key=value` settings.
 *
 * Returns the URLs of both doors, of their pages and of the tenant; `token(name, door)`, which logs a person in by
 * password; and `stop()`, which sends SIGTERM and returns the exit code.
 */
export async function development(set = []) {
  const folder = mkdtempSync(join(tmpdir(), "vestibule-e2e-"));
  const settings = [
    "public.listen=127.0.0.1:0",
    "internal.listen=127.0.0.1:0",
    "tenant.http=127.0.0.1:0",
    `store.path=${join(folder, "vestibule.db")}`,
    `tenant.data=${join(folder, "tenant.db")}`,
    "log.filter=warn",
    ...set,
  ];
  const child = spawn(program, [...settings.flatMap((setting) => ["--set", setting]), "dev"], {
    cwd: root,
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("VESTIBULE_"))),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
  // A failed test leaves no process behind.
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);

  const urls = {};
  for await (const line of createInterface(child.stdout)) {
    const [, name, url, page] = line.match(/^ {2}(\S.*?) +(http\S+)(?: +GraphiQL: (\S+))?/) ?? [];
    if (name) urls[name] = { url, page };
    if (line.includes("Ctrl-C")) break;
  }
  const { "Public API": publicApi, "Internal API": internalApi, "Dev tenant": tenant } = urls;
  if (!publicApi || !internalApi || !tenant) throw new Error(`vestibule dev exited: ${await exited}`);

  return {
    child,
    tenant: tenant.url,
    public: publicApi.url,
    internal: internalApi.url,
    pages: { public: publicApi.page, internal: internalApi.page },
    async token(name, door = "public") {
      const login = {
        grant_type: "http://auth0.com/oauth/grant-type/password-realm",
        realm: "Username-Password-Authentication",
        client_id: "spa",
        audience: AUDIENCES[door],
        username: `${name}@example.com`,
        password: `dev-only-${name}`,
        scope: "openid profile email",
      };
      const headers = { "Content-Type": "application/json" };
      const url = new URL("oauth/token", tenant.url);
      const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(login) });
      const { access_token: token, error_description: error } = await response.json();
      if (!token) throw new Error(`the tenant refused a token to ${name}: ${error}`);
      return token;
    },
    async stop() {
      // A second signal would cut the drain short.
      if (!child.killed) child.kill("SIGTERM");
      const code = await exited;
      process.removeListener("exit", kill);
      rmSync(folder, { recursive: true, force: true });
      return code;
    },
  };
}

/**
 * Starts one server for all tests of a file and stops it after them. Returns an object that has the members of
 * `development()` once the tests run, and in `tokens` a token for each door in `people`.
 */
export function sharedDevelopment(people = {}) {
  const vestibule = { tokens: {} };
  before(async () => {
    Object.assign(vestibule, await development());
    for (const [door, name] of Object.entries(people)) vestibule.tokens[door] = await vestibule.token(name, door);
  });
  after(() => vestibule.stop?.());
  return vestibule;
}
