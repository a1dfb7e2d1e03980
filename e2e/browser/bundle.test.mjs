// The bundle in the repository is what its sources and its lock file give.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { root } from "../development.mjs";

test("the page's bundle is what its sources give", () => {
  const kept = join(root, "assets", "graphiql");
  const folder = mkdtempSync(join(tmpdir(), "vestibule-graphiql-"));
  try {
    const filter = (path) => !/\/(node_modules|dist)$/.test(path);
    cpSync(kept, folder, { recursive: true, filter });
    const npm = (...args) => execFileSync("npm", args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
    npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error");
    npm("run", "build");
    // What is in them: compressors differ between versions of Node.
    const contents = (from) => {
      const files = readdirSync(join(from, "dist")).sort();
      return files.map((file) => [file, gunzipSync(readFileSync(join(from, "dist", file))).toString()]);
    };
    assert.deepEqual(
      contents(folder).map(([file]) => file),
      contents(kept).map(([file]) => file),
    );
    for (const [index, [file, made]] of contents(folder).entries()) {
      assert.ok(made === contents(kept)[index][1], `${file} is not what its sources give: npm run build`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
