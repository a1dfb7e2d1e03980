// The pipeline of `docs/deploy/gitlab-ci.yml`, run by gitlab-ci-local.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { root } from "../development.mjs";

const folder = mkdtempSync(join(tmpdir(), "vestibule-e2e-"));
const states = [];
const calls = [];
const server = createServer((request, response) => {
  calls.push(`${request.method} ${request.url} ${request.headers.authorization}`);
  response.setHeader("content-type", "application/json");
  response.statusCode = request.method === "POST" ? 202 : 200;
  response.end(JSON.stringify({ state: request.method === "POST" ? "waiting" : states.shift(), message: "…" }));
});

before(async () => {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  // Without its image, a job runs in a shell.
  const template = readFileSync(join(root, "docs", "deploy", "gitlab-ci.yml"), "utf8");
  writeFileSync(join(folder, ".gitlab-ci.yml"), template.replace(/^ *image: .*\n/m, ""));
  // The jobs need no files, so there are none to copy.
  writeFileSync(join(folder, "rsync"), "#!/bin/sh\n");
  chmodSync(join(folder, "rsync"), 0o755);
  const git = (...args) => execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", ...args], { cwd: folder });
  git("init", "--quiet", "--initial-branch=staging", ".");
  git("remote", "add", "origin", "https://gitlab.com/team/tenant.git");
  git("add", ".gitlab-ci.yml");
  git("commit", "--quiet", "--message=A pipeline");
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a job, and returns its exit code. */
function run(job) {
  const program = join(root, "e2e", "node_modules", ".bin", "gitlab-ci-local");
  const url = `VESTIBULE_URL=http://127.0.0.1:${server.address().port}`;
  const args = ["--variable", url, "--variable", "VESTIBULE_TOKEN=an.id.token", job];
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
  const child = spawn(program, args, { cwd: folder, env, stdio: ["ignore", "inherit", "inherit"] });
  return new Promise((resolve) => child.once("exit", resolve));
}

const authorized = (method) => `${method} /deployments Bearer an.id.token`;

test("a job asks for its deployment and waits until it has ended", async () => {
  states.push("waiting", "deployed");
  assert.equal(await run("staging"), 0);
  assert.deepEqual(calls.splice(0), [authorized("POST"), authorized("GET"), authorized("GET")]);
});

test("a job fails with its deployment", async () => {
  states.push("failed");
  assert.notEqual(await run("staging"), 0);
  assert.deepEqual(calls.splice(0), [authorized("POST"), authorized("GET")]);
});
