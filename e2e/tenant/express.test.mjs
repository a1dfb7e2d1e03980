// express-openid-connect with its defaults, in a browser: an ID token by form_post, and a logout at the tenant too.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import express from "express";
import oidc from "express-openid-connect";
import { browser } from "../browser/chromium.mjs";
import { root } from "../development.mjs";
import { tenant } from "./tenant.mjs";

const folder = mkdtempSync(join(tmpdir(), "vestibule-express-"));
let stop;
let server;
let chromium;
let origin;

before(async () => {
  cpSync(join(root, "fixtures", "tenant"), folder, { recursive: true });
  const web = {
    client_id: "web",
    client_secret: "dev-only-secret-of-web",
    name: "Web",
    app_type: "regular_web",
    callbacks: ["http://localhost/callback"],
    allowed_logout_urls: ["http://localhost"],
  };
  writeFileSync(join(folder, "clients", "Web.json"), JSON.stringify(web));
  const started = await tenant([`tenant.bundle=${folder}`]);
  stop = started.stop;
  const app = express();
  server = createServer(app);
  await new Promise((resolve) => server.listen(0, "localhost", resolve));
  origin = `http://localhost:${server.address().port}`;
  const secret = "a secret of this test, which signs its session";
  const issuerBaseURL = started.ready.issuer;
  app.use(oidc.auth({ issuerBaseURL, baseURL: origin, clientID: "web", secret, authRequired: false, idpLogout: true }));
  app.get("/", (request, response) => response.json(request.oidc.isAuthenticated() ? request.oidc.user : null));
  chromium = await browser();
});
after(async () => {
  await chromium?.close();
  server?.closeAllConnections();
  server?.close();
  await stop?.();
  rmSync(folder, { recursive: true });
});

test("login by form_post, and logout", async () => {
  const page = await (await chromium.newContext()).newPage();
  const posted = [];
  page.on("request", (request) => {
    if (request.method() === "POST") posted.push(new URL(request.url()).pathname);
  });
  const user = async () => JSON.parse(await page.locator("body").textContent());
  await page.goto(`${origin}/login`);
  await page.locator('button[value="auth0|ada"]').click();
  await page.waitForURL(`${origin}/`);
  assert.equal((await user()).email, "ada@example.com");
  assert.deepEqual(posted, ["/u/login", "/callback"]);

  await page.goto(`${origin}/logout`);
  await page.waitForURL(`${origin}/`);
  assert.equal(await user(), null);
  await page.goto(`${origin}/login`);
  await page.waitForURL((url) => url.pathname === "/u/login");
});
