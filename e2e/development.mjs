// `vestibule dev` on free ports and in a temporary folder, and what its lines say about it.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before } from "node:test";

export const root = join(import.meta.dirname, "..");
const program = join(root, "target", "debug", "vestibule");

/** The APIs' identifiers, as `config/development.toml` has them. */
export const AUDIENCES = {
  public: "https://public.vestibule.example/",
  internal: "https://internal.vestibule.example/",
};

/**
 * Starts it and waits until it says its last line. `set` holds more settings, as `--set` takes them.
 *
 * Gives the URLs of both doors, of their pages and of the tenant; `token(name, door)` logs one of the people in by
 * password; `stop()` tells it to stop and gives its exit code.
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
  const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
  // A test that fails before it stops the process must not leave it behind.
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);

  const said = {};
  for await (const line of createInterface(child.stdout)) {
    const [, name, url] = line.match(/^ {2}(\S.*?) +(http\S+)$/) ?? [];
    if (name) said[name] = url;
    if (line.includes("Ctrl-C")) break;
  }
  const { "Public API": publicApi, "Internal API": internalApi, "Dev tenant": tenant } = said;
  if (!publicApi || !internalApi || !tenant) throw new Error(`vestibule dev ended: ${await ended}`);

  return {
    child,
    tenant,
    public: publicApi,
    internal: internalApi,
    pages: { public: said["Public page"], internal: said["Internal page"] },
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
      const url = new URL("oauth/token", tenant);
      const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(login) });
      const { access_token: token, error_description: problem } = await answer.json();
      if (!token) throw new Error(`the tenant gave ${name} no token: ${problem}`);
      return token;
    },
    async stop() {
      // Told twice, it would not wait for what is under way.
      if (!child.killed) child.kill("SIGTERM");
      const code = await ended;
      process.removeListener("exit", kill);
      rmSync(folder, { recursive: true, force: true });
      return code;
    },
  };
}

/**
 * Starts one before the tests of a file, and stops it after them. Gives what `development()` does, once the tests run, and
 * in `tokens` a token for each door that `people` names somebody for.
 */
export function forTheTests(people = {}) {
  const vestibule = { tokens: {} };
  before(async () => {
    Object.assign(vestibule, await development());
    for (const [door, name] of Object.entries(people)) vestibule.tokens[door] = await vestibule.token(name, door);
  });
  after(() => vestibule.stop?.());
  return vestibule;
}
