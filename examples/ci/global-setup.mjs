// Playwright's globalSetup: starts the dev tenant on free ports and hands its description to the tests.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

export default async function setup() {
  const file = `${process.env.RUNNER_TEMP ?? "/tmp"}/vestibule-${process.pid}.json`;
  const tenant = spawn(process.env.VESTIBULE ?? "vestibule", ["tenant", "run", "--ready-file", file], { stdio: "inherit" });
  while (!existsSync(file) && tenant.exitCode === null) await setTimeout(50);
  process.env.TENANT = readFileSync(file, "utf8");
  return () => tenant.kill();
}
