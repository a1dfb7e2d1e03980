// Starts `vestibule tenant run` and waits for its ready file.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "../development.mjs";

/** Returns what the ready file holds, and `stop()`. `set` holds `key=value` settings. */
export async function tenant(set = []) {
  const folder = mkdtempSync(join(tmpdir(), "vestibule-tenant-"));
  const file = join(folder, "ready.json");
  const settings = ["log.filter=warn", ...set].flatMap((setting) => ["--set", setting]);
  const program = join(root, "target", "debug", "vestibule");
  const child = spawn(program, [...settings, "tenant", "run", "--ready-file", file], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  process.once("exit", () => child.kill("SIGKILL"));
  const exited = new Promise((resolve) => child.once("exit", resolve));
  while (!existsSync(file)) {
    if (child.exitCode !== null) throw new Error(`vestibule tenant run exited: ${child.exitCode}`);
    await sleep(50);
  }
  return {
    ready: JSON.parse(readFileSync(file)),
    async stop() {
      child.kill("SIGTERM");
      await exited;
      rmSync(folder, { recursive: true });
    },
  };
}
