// `@graphql-inspector/cli diff` reads both SDL files: equal schemas pass, and a breaking change fails. `docs/schemas.md` has
// the line for your own CI.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const root = join(import.meta.dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "vestibule-e2e-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function diff(before, now) {
  const inspector = join(import.meta.dirname, "..", "node_modules", ".bin", "graphql-inspector");
  const { status, stdout, stderr } = spawnSync(inspector, ["diff", before, now], { encoding: "utf8", timeout: 60_000 });
  return { status, output: stdout + stderr };
}

for (const door of ["public", "internal"]) {
  test(`the ${door} schema compared with itself has no changes`, () => {
    const schema = join(root, "schema", `${door}.graphql`);
    const { status, output } = diff(schema, schema);
    assert.equal(status, 0, output);
    assert.match(output, /No changes detected/);
  });

  test(`a field removed from the ${door} schema is a breaking change`, () => {
    const schema = join(root, "schema", `${door}.graphql`);
    const text = readFileSync(schema, "utf8");
    const changed = text.replace(/^ {2}me: User$/m, "  myself: User");
    assert.notEqual(changed, text, "the field to rename is gone");
    const now = join(folder, `${door}.graphql`);
    writeFileSync(now, changed);
    const { status, output } = diff(schema, now);
    assert.equal(status, 1, output);
    assert.match(output, /Field me was removed from object type Query/);
    assert.match(output, /1 breaking change/);
  });
}
