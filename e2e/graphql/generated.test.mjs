// Two thousand generated operations a door: whatever a schema allows to be asked, no answer is a failure of the server.
// `SEED` picks others.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { AUDIENCES, forTheTests } from "../development.mjs";

const seed = Number(process.env.SEED ?? 2026);

const vestibule = forTheTests();

/** Runs the generator as `person`, or as people who sign up; gives how each operation was answered. */
async function generated(door, person) {
  const python = join(import.meta.dirname, "..", ".venv", "bin", "python");
  const child = spawn(python, [join(import.meta.dirname, "generated.py")], { stdio: ["pipe", "pipe", "inherit"] });
  const { [door]: url, tenant } = vestibule;
  const told = { url, tenant, audience: AUDIENCES[door], person, seed, queries: 1000, mutations: 1000 };
  child.stdin.end(JSON.stringify(told));
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  assert.equal(code, 0);
  return said
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function judge(answers) {
  assert.equal(answers.length, 2000);
  const failures = answers.filter(
    ({ status, wellFormed, codes }) => status >= 500 || !wellFormed || codes.includes("INTERNAL"),
  );
  assert.deepEqual(failures, [], `SEED=${seed}`);
  // Refusing everything would pass the above.
  const executed = answers.filter(({ data }) => data).length;
  assert.ok(executed >= 500, `only ${executed} were executed`);
  return executed;
}

test("nothing a frontend can ask makes the public door fail", async (t) => {
  t.diagnostic(`${judge(await generated("public"))} of 2,000 were executed`);
});

test("nothing staff can ask makes the internal door fail", async (t) => {
  t.diagnostic(`${judge(await generated("internal", "katherine"))} of 2,000 were executed`);
});
