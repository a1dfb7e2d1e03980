// Thousands of changed tokens, judged by the gate and by two libraries with the same policy. Each library is strict where
// the other is not; whatever either refuses, the gate must refuse too.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createLocalJWKSet, decodeJwt, jwtVerify } from "jose";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "vestibule-oracles-"));
const file = join(folder, "mutants.jsonl");
after(() => rmSync(folder, { recursive: true }));

let policy;
let mutants;

before(() => {
  const name = "auth::mutants_tests::mutants_and_how_they_ended_are_written_down";
  execFileSync(
    process.env.CARGO ?? "cargo",
    ["test", "--locked", "--quiet", "--lib", "--", "--ignored", "--exact", name],
    { cwd: root, env: { ...process.env, VESTIBULE_MUTANTS: file }, stdio: ["ignore", "ignore", "inherit"] },
  );
  [policy, ...mutants] = readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  console.log(`VESTIBULE_SEED=${policy.seed}`);
});

/** What jose makes of a token; nothing if it accepts it. */
async function jose(token) {
  try {
    // As a server with several issuers does it: the unverified issuer chooses the keys.
    const keys = policy.keys[decodeJwt(token).iss];
    if (keys === undefined) return "no trusted issuer";
    await jwtVerify(token, createLocalJWKSet(keys), {
      algorithms: policy.algorithms,
      audience: policy.audience,
      clockTolerance: policy.leeway,
      issuer: Object.keys(policy.keys),
      requiredClaims: ["iss", "sub", "aud", "exp"],
    });
    return null;
  } catch (error) {
    return `${error.code ?? error.name}: ${error.message}`;
  }
}

/** What PyJWT makes of each token. */
function pyjwt() {
  const python = join(here, "..", ".venv", "bin", "python");
  const said = execFileSync(python, [join(here, "judge.py"), file], { maxBuffer: 1 << 26 });
  return JSON.parse(said);
}

/**
 * Asserts the rule, and that it was put to the test: enough was accepted by us, enough refused by the other. There is no
 * exception; one would stand here with its reason.
 */
function hold(by, theirs) {
  assert.equal(theirs.length, mutants.length);
  const accepted = mutants.map((mutant, i) => ({ ...mutant, error: theirs[i] })).filter((mutant) => mutant.refused === null);
  const alone = mutants.filter((mutant, i) => mutant.refused !== null && theirs[i] === null);
  const unexplained = accepted.filter((mutant) => mutant.error !== null);
  console.log(`${by}: of ${mutants.length} mutants ${accepted.length} accepted by the gate, ${alone.length} by ${by} alone`);
  assert.deepEqual(unexplained, [], `accepted by the gate, refused by ${by}`);
  assert.ok(accepted.length > mutants.length / 20, "too few were accepted to tell anything");
}

test("what jose refuses is refused", async () => {
  const theirs = [];
  for (const { token } of mutants) theirs.push(await jose(token));
  hold("jose", theirs);
});

test("what PyJWT refuses is refused", () => {
  hold("PyJWT", pyjwt());
});
