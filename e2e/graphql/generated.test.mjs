// Two thousand generated operations for each door: no valid operation causes a server error. Set `SEED` to generate others.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { AUDIENCES, sharedDevelopment } from "../development.mjs";

const seed = Number(process.env.SEED ?? 2026);

const vestibule = sharedDevelopment();

/** Runs the generator as `person`, or as newly signed-up people. Returns a summary of each response. */
async function runGenerated(door, person) {
  const python = join(import.meta.dirname, "..", ".venv", "bin", "python");
  const child = spawn(python, [join(import.meta.dirname, "generated.py")], { stdio: ["pipe", "pipe", "inherit"] });
  const { [door]: url, tenant } = vestibule;
  const input = { url, tenant, audience: AUDIENCES[door], person, seed, queries: 1000, mutations: 1000 };
  child.stdin.end(JSON.stringify(input));
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  assert.equal(code, 0);
  return output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function assertNoServerError(responses) {
  assert.equal(responses.length, 2000);
  const failures = responses.filter(
    ({ status, wellFormed, codes }) => status >= 500 || !wellFormed || codes.includes("INTERNAL"),
  );
  assert.deepEqual(failures, [], `SEED=${seed}`);
  // A server that refuses everything would pass so far.
  const executed = responses.filter(({ data }) => data).length;
  assert.ok(executed >= 500, `only ${executed} were executed`);
  return executed;
}

test("no generated operation causes a server error at the public door", async (t) => {
  t.diagnostic(`${assertNoServerError(await runGenerated("public"))} of 2,000 were executed`);
});

test("no generated operation causes a server error at the internal door", async (t) => {
  t.diagnostic(`${assertNoServerError(await runGenerated("internal", "katherine"))} of 2,000 were executed`);
});
