// Thousands of mutated tokens, verified by the gate and by two libraries under the same policy. Each library is strict where
// the other is not; the gate must refuse every token that either refuses.
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
  const name = "auth::tests::mutants::outcomes::mutants_and_their_outcomes_are_written_to_a_file";
  execFileSync(
    process.env.CARGO ?? "cargo",
    ["test", "--locked", "--quiet", "--lib", "--", "--ignored", "--exact", name],
    { cwd: root, env: { ...process.env, VESTIBULE_MUTANTS: file }, stdio: ["ignore", "ignore", "inherit"] },
  );
  [policy, ...mutants] = readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  console.log(`VESTIBULE_SEED=${policy.seed}`);
});

/** jose's error for a token; `null` if it accepts it. */
async function verifyWithJose(token) {
  try {
    // As a server with several issuers does: the unverified issuer selects the keys.
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

/** PyJWT's error for each token. */
function verifyWithPyJwt() {
  const python = join(here, "..", ".venv", "bin", "python");
  const output = execFileSync(python, [join(here, "verify.py"), file], { maxBuffer: 1 << 26 });
  return JSON.parse(output);
}

/** Asserts that the gate accepts no token that the library refuses, and that it accepts enough tokens to prove something. */
function assertAtLeastAsStrict(library, errors) {
  assert.equal(errors.length, mutants.length);
  const accepted = mutants.map((mutant, i) => ({ ...mutant, error: errors[i] })).filter((mutant) => mutant.refused === null);
  const onlyByLibrary = mutants.filter((mutant, i) => mutant.refused !== null && errors[i] === null);
  const tooLenient = accepted.filter((mutant) => mutant.error !== null);
  console.log(`${mutants.length} mutants: ${accepted.length} accepted by the gate, ${onlyByLibrary.length} by ${library} alone`);
  assert.deepEqual(tooLenient, [], `accepted by the gate, refused by ${library}`);
  assert.ok(accepted.length > mutants.length / 20, "too few were accepted to prove anything");
}

test("the gate refuses every token that jose refuses", async () => {
  const errors = [];
  for (const { token } of mutants) errors.push(await verifyWithJose(token));
  assertAtLeastAsStrict("jose", errors);
});

test("the gate refuses every token that PyJWT refuses", () => {
  assertAtLeastAsStrict("PyJWT", verifyWithPyJwt());
});
