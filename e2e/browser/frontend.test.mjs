// The snippets of docs/frontend.md, each as a page on `localhost` that logs a person in at the dev tenant and asks who they are.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { build } from "esbuild";
import { development } from "../development.mjs";
import { browser } from "./chromium.mjs";

const text = readFileSync(new URL("../../docs/frontend.md", import.meta.url), "utf8");

/** The snippet under a heading. */
function snippet(heading) {
  const section = text.split(`\n## ${heading}\n`)[1].split("\n## ")[0];
  return section.match(/```jsx?\n([\s\S]*?)```/)[1];
}

let vestibule;
let chromium;
let server;
let script = "";

before(async () => {
  vestibule = await development();
  chromium = await browser();
  server = createServer((request, response) => {
    const isScript = request.url === "/snippet.js";
    response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html; charset=utf-8");
    response.end(isScript ? script : '<!doctype html><title>App</title><body><script type="module" src="/snippet.js"></script>');
  });
  await new Promise((resolve) => server.listen(0, "localhost", resolve));
});
after(async () => {
  server?.close();
  await chromium?.close();
  await vestibule?.stop();
});

/** Bundles a snippet for the addresses of this run. */
async function bundled(source) {
  const contents = source
    .replaceAll("http://localhost:4002", vestibule.tenant.replace(/\/$/, ""))
    .replaceAll("http://127.0.0.1:4000/graphql", vestibule.public);
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: "jsx" },
    bundle: true,
    format: "esm",
    jsx: "automatic",
    write: false,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return outputFiles[0].text;
}

for (const [heading, button] of [["auth0-spa-js"], ["auth0-react", "Log in"], ["Without an SDK"]]) {
  test(`the snippet "${heading}" greets the current user`, async () => {
    script = await bundled(snippet(heading));
    const context = await chromium.newContext();
    const page = await context.newPage();
    await page.goto(`http://localhost:${server.address().port}/`);
    if (button) await page.getByRole("button", { name: button }).click();
    await page.waitForURL((url) => url.pathname === "/u/login");
    await page.locator('button[value="auth0|grace"]').click();
    await page.getByText("Hello Grace Hopper").waitFor();
    assert.equal(new URL(page.url()).search, "", "the code is not left in the address");
    await context.close();
  });
}
