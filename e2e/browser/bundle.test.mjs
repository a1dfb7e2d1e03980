// Rebuilds the GraphiQL bundle and compares it with the one in the repository.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { root } from "../development.mjs";

test("the committed bundle matches its sources", () => {
  const committed = join(root, "assets", "graphiql");
  const folder = mkdtempSync(join(tmpdir(), "vestibule-graphiql-"));
  try {
    const filter = (path) => !/\/(node_modules|dist)$/.test(path);
    cpSync(committed, folder, { recursive: true, filter });
    const npm = (...args) => execFileSync("npm", args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
    npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error");
    npm("run", "build");
    // Unpacked, because gzip differs between versions of Node.
    const contents = (from) => {
      const files = readdirSync(join(from, "dist")).sort();
      return files.map((file) => [file, gunzipSync(readFileSync(join(from, "dist", file))).toString()]);
    };
    assert.deepEqual(
      contents(folder).map(([file]) => file),
      contents(committed).map(([file]) => file),
    );
    for (const [index, [file, built]] of contents(folder).entries()) {
      assert.ok(built === contents(committed)[index][1], `${file} is out of date: npm run build`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
