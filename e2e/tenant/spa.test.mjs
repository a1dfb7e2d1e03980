// Auth0's SDK for single-page applications in a browser, from a page on http://localhost.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { browser } from "../browser/chromium.mjs";
import { AUDIENCES, development } from "../development.mjs";

const sdk = readFileSync(new URL("../node_modules/@auth0/auth0-spa-js/dist/auth0-spa-js.production.js", import.meta.url));
let vestibule;
let chromium;
let server;
let origin;

before(async () => {
  vestibule = await development();
  chromium = await browser();
  server = createServer((request, response) => {
    const isScript = request.url === "/sdk.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? sdk : "<!doctype html><title>App</title><script src=/sdk.js></script>");
  });
  await new Promise((resolve) => server.listen(0, "localhost", resolve));
  origin = `http://localhost:${server.address().port}`;
});
after(async () => {
  server?.close();
  await chromium?.close();
  await vestibule?.stop();
});

/** A page of the application, and what it sends to the tenant. */
async function open(options) {
  const page = await (await chromium.newContext()).newPage();
  const requests = [];
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== new URL(vestibule.tenant).origin) return;
    const grant = /grant_type=([a-z_]+)/.exec(request.postData() ?? "")?.[1];
    requests.push([url.pathname, grant ?? url.searchParams.get("response_mode")].filter(Boolean).join(" "));
  });
  const settings = {
    domain: vestibule.tenant.replace(/\/$/, ""),
    clientId: "spa",
    cacheLocation: "localstorage",
    ...options,
    authorizationParams: { redirect_uri: origin, audience: AUDIENCES.public, ...options.authorizationParams },
  };
  const start = async () => {
    await page.waitForFunction(() => window.auth0);
    await page.evaluate(async (settings) => { window.app = await auth0.createAuth0Client(settings); }, settings);
  };
  await page.goto(origin);
  await start();
  return { page, requests, start };
}

async function logIn({ page, start }, name) {
  await page.evaluate(() => window.app.loginWithRedirect());
  await page.waitForURL((url) => url.pathname === "/u/login");
  await page.locator(`button[value="auth0|${name}"]`).click();
  await page.waitForURL((url) => url.searchParams.has("code"));
  await start();
  await page.evaluate(() => window.app.handleRedirectCallback());
  return page.evaluate(() => window.app.getUser());
}

async function logOut({ page, start }) {
  await page.evaluate(() => window.app.logout({ logoutParams: { returnTo: window.location.origin } }));
  await page.waitForURL(`${origin}/`);
  await start();
}

const renew = (page) => page.evaluate(() => window.app.getTokenSilently({ cacheMode: "off" }).catch((error) => error.error));

test("login, silent renewal in a frame, logout", async () => {
  const app = await open({});
  const user = await logIn(app, "ada");
  assert.equal(user.email, "ada@example.com");
  const token = await renew(app.page);
  assert.match(token, /^eyJ/);
  assert.ok(app.requests.includes("/authorize web_message"), `${app.requests}`);
  const answer = await fetch(vestibule.public, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: "{ me { email } }" }),
  });
  assert.equal((await answer.json()).data.me.email, "ada@example.com");
  await logOut(app);
  assert.equal(await renew(app.page), "login_required");
});

test("refresh tokens rotate, and a logout ends the session", async () => {
  const app = await open({ useRefreshTokens: true, authorizationParams: { scope: "openid profile email offline_access" } });
  await logIn(app, "grace");
  const stored = () => app.page.evaluate(() => Object.values(localStorage).map((text) => JSON.parse(text).body?.refresh_token).find(Boolean));
  const first = await stored();
  app.requests.length = 0;
  assert.match(await renew(app.page), /^eyJ/);
  const second = await stored();
  assert.notEqual(second, first);
  assert.match(await renew(app.page), /^eyJ/);
  assert.deepEqual(app.requests, ["/oauth/token refresh_token", "/oauth/token refresh_token"]);
  const reused = await fetch(`${vestibule.tenant}oauth/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ grant_type: "refresh_token", client_id: "spa", refresh_token: first }),
  });
  assert.equal((await reused.json()).error, "invalid_grant");
  await logOut(app);
  assert.notEqual((await renew(app.page)).slice(0, 3), "eyJ");
});
