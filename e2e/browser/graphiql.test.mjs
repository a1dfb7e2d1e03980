// GraphiQL in a browser: log in at the tenant, send queries. `PICTURES` names a folder for screenshots.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { development } from "../development.mjs";
import { browser } from "./chromium.mjs";

let vestibule;
let chromium;

before(async () => {
  vestibule = await development();
  chromium = await browser();
});
after(async () => {
  await chromium?.close();
  await vestibule?.stop();
});

/** Opens a door's page in a new window. Returns its console output and the origins it contacts, too. */
async function open(door, options = {}) {
  const viewport = { width: 1120, height: 560 };
  const context = await chromium.newContext({ viewport, deviceScaleFactor: 1.5, ...options });
  const page = await context.newPage();
  const console = [];
  const origins = new Set();
  page.on("console", (message) => console.push(message.text()));
  page.on("pageerror", (error) => console.push(error.message));
  page.on("request", (request) => origins.add(new URL(request.url()).origin));
  await page.goto(vestibule.pages[door]);
  return { page, context, console, origins };
}

/** Logs in by one click on the tenant's page; calls `onLoginPage` when it shows. */
async function logIn(page, name, onLoginPage = async () => {}) {
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL((url) => url.pathname === "/u/login");
  await onLoginPage();
  await page.locator(`button[value="auth0|${name}"]`).click();
  await page.getByRole("button", { name: "Log out" }).waitFor();
}

/** Runs the query in the editor and returns the response. */
async function run(page) {
  const responded = page.waitForResponse((response) => {
    const body = response.request().postData() ?? "";
    return response.url().endsWith("/graphql") && !body.includes("IntrospectionQuery");
  });
  await page.getByRole("button", { name: /^Execute/ }).click();
  const result = await (await responded).json();
  // Wait until the page shows it.
  await page.waitForFunction(
    (text) => document.querySelector(".result-window")?.innerText.includes(text),
    result.data ? '"data"' : '"errors"',
  );
  return result;
}

async function screenshot(page, name) {
  const folder = process.env.PICTURES;
  if (folder) await page.screenshot({ path: join(folder, name) });
}

test("a person logs in at the tenant's page and is the current user", async () => {
  const { page, context, console, origins } = await open("public");
  await logIn(page, "grace", () => screenshot(page, "login.png"));
  const { me } = (await run(page)).data;
  assert.equal(me.email, "grace@example.com");
  assert.equal(me.name, "Grace Hopper");
  await page.getByRole("button", { name: /Documentation Explorer/ }).click();
  await page.locator(".graphiql-doc-explorer-type-name", { hasText: "Query" }).click();
  await screenshot(page, "graphiql.png");

  const violations = console.filter((text) => /policy|violat/i.test(text));
  assert.deepEqual(violations, [], "the page keeps to its Content-Security-Policy");
  const own = [vestibule.pages.public, vestibule.tenant].map((url) => new URL(url).origin);
  assert.deepEqual([...origins].sort(), own.sort(), "the page contacts only its door and the tenant");
  await context.close();
});

test("a visitor is invited to log in, and may go on without", async () => {
  const { page, context, console } = await open("public");
  await page.getByRole("heading", { name: "Public API" }).waitFor();
  assert.equal(await page.locator(".graphiql-container").count(), 0, "no query is sent that the door would refuse");
  await screenshot(page, "welcome.png");
  await page.getByRole("button", { name: "Continue without" }).click();
  assert.equal((await run(page)).errors[0].extensions.code, "NO_TOKEN");
  assert.deepEqual(console.filter((text) => /policy|violat/i.test(text)), []);
  await context.close();
});

test("a reload keeps the login until it ends, and the code is not left in the address", async () => {
  const { page, context } = await open("public");
  await page.clock.install({ time: new Date(2030, 4, 6, 12, 0) });
  await logIn(page, "ada");
  assert.equal(page.url(), vestibule.pages.public);
  await page.reload();
  await page.getByRole("button", { name: "Log out" }).waitFor();
  assert.equal((await run(page)).data.me.email, "ada@example.com");
  // The token lasts a day, so the day is named until midnight.
  const until = async () => (await page.locator(".who").innerText()).replace("ada@example.com until ", "");
  assert.match(await until(), /^Tue, May 7, 12:\d\d PM$/);
  await page.clock.setSystemTime(new Date(2030, 4, 7, 0, 30));
  await page.reload();
  assert.match(await until(), /^12:\d\d PM$/);
  const stored = await page.evaluate(() => JSON.stringify({ ...localStorage }));
  assert.ok(!stored.includes("eyJ"), "no token outlives the tab");
  await page.clock.fastForward("30:00:00");
  assert.match(await page.getByRole("alert").innerText(), /The login ended at/);
  assert.equal(await page.evaluate(() => sessionStorage.getItem("vestibule:session")), null);
  await page.reload();
  await page.getByRole("heading", { name: "Public API" }).waitFor();
  await context.close();
});

test("the page explains why a token is accepted or refused", async () => {
  const { page, context } = await open("internal");
  await logIn(page, "ada");
  await page.getByRole("button", { name: "Why?" }).click();
  const dialog = page.getByRole("dialog");
  assert.match(await dialog.getByRole("heading").innerText(), /internal door refuses this token: NOT_PERMITTED/);
  await screenshot(page, "why.png");
  await dialog.getByRole("button", { name: "Close" }).click();
  await dialog.waitFor({ state: "hidden" });
  await context.close();
});

for (const scheme of ["light", "dark"]) {
  test(`the page is usable on a phone (${scheme})`, async () => {
    const { page, context } = await open("public", { viewport: { width: 390, height: 844 }, colorScheme: scheme });
    await screenshot(page, `welcome-390-${scheme}.png`);
    await logIn(page, "grace");
    assert.equal((await run(page)).data.me.email, "grace@example.com");
    await screenshot(page, `graphiql-390-${scheme}.png`);
    const logOut = await page.getByRole("button", { name: "Log out" }).boundingBox();
    assert.ok(logOut.x + logOut.width <= 390, "the corner fits");
    const [wide, editor, answer] = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      ...[".graphiql-query-editor", ".result-window"].map((part) => document.querySelector(part).getBoundingClientRect().width),
    ]);
    assert.ok(wide <= 390 && editor >= 250 && answer >= 250, `${wide} ${editor} ${answer}`);
    await context.close();
  });
}

test("the internal door admits staff only, and another person can log in after logging out", async () => {
  const { page, context } = await open("internal");
  await logIn(page, "ada");
  const { errors } = await run(page);
  assert.equal(errors[0].extensions.code, "NOT_PERMITTED");
  await page.getByRole("button", { name: "Log out" }).click();
  await logIn(page, "katherine");
  const { users } = (await run(page)).data;
  assert.ok(users.edges.some(({ node }) => node.status === "ACTIVE"));
  await context.close();
});

test("an Authorization header in the Headers tab overrides the login", async () => {
  const { page, context } = await open("public");
  await page.getByRole("button", { name: "Continue without" }).click();
  await page.getByRole("button", { name: "Headers", exact: true }).click();
  await page.locator('[aria-label="Headers"] .graphiql-editor:not(.hidden) .CodeMirror').click();
  await page.keyboard.insertText(JSON.stringify({ authorization: `Bearer ${await vestibule.token("edsger")}` }));
  assert.equal((await run(page)).data.me.email, "edsger@example.com");
  await context.close();
});

test("a login response without a pending login in this tab is refused", async () => {
  const { page, context } = await open("public");
  await page.goto(`${vestibule.pages.public}?code=stolen&state=foreign`);
  await page.getByRole("alert").waitFor();
  assert.match(await page.getByRole("alert").innerText(), /not begun in this tab/);
  assert.equal(page.url(), vestibule.pages.public);
  await context.close();
});
