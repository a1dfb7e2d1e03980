// A person at a door's page: logs in at the tenant, asks, and is answered. `PICTURES` names a folder for pictures.
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

/** A door's page in a window of its own, with what its console says and whom it asks. */
async function open(door) {
  const context = await chromium.newContext({ viewport: { width: 1120, height: 560 }, deviceScaleFactor: 2 });
  const page = await context.newPage();
  const said = [];
  const asked = new Set();
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.message));
  page.on("request", (request) => asked.add(new URL(request.url()).origin));
  await page.goto(vestibule.pages[door]);
  return { page, context, said, asked };
}

/** By one click on the tenant's page; `seen` is called when it shows. */
async function logIn(page, name, seen = async () => {}) {
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL((url) => url.pathname === "/u/login");
  await seen();
  await page.locator(`button[value="auth0|${name}"]`).click();
  await page.getByRole("button", { name: "Log out" }).waitFor();
}

/** Runs what stands in the editor and gives what came back. */
async function run(page) {
  const answered = page.waitForResponse((response) => {
    const body = response.request().postData() ?? "";
    return response.url().endsWith("/graphql") && !body.includes("IntrospectionQuery");
  });
  await page.getByRole("button", { name: /^Execute/ }).click();
  const answer = await (await answered).json();
  // What the person sees is what came.
  await page.waitForFunction(
    (text) => document.querySelector(".result-window")?.innerText.includes(text),
    answer.data ? '"data"' : '"errors"',
  );
  return answer;
}

async function picture(page, name) {
  const folder = process.env.PICTURES;
  if (folder) await page.screenshot({ path: join(folder, name) });
}

test("a person logs in through the tenant's page and sees who they are", async () => {
  const { page, context, said, asked } = await open("public");
  await logIn(page, "grace", () => picture(page, "login.png"));
  const { me } = (await run(page)).data;
  assert.equal(me.email, "grace@example.com");
  assert.equal(me.name, "Grace Hopper");
  await page.getByRole("button", { name: /Documentation Explorer/ }).click();
  await page.locator(".graphiql-doc-explorer-type-name", { hasText: "Query" }).click();
  await picture(page, "graphiql.png");

  const inline = said.filter((text) => /policy|violat/i.test(text));
  assert.deepEqual(inline, [], "nothing the page does is against its policy");
  const own = [vestibule.pages.public, vestibule.tenant].map((url) => new URL(url).origin);
  assert.deepEqual([...asked].sort(), own.sort(), "nobody else is asked for anything");
  await context.close();
});

test("the token is kept nowhere and its code is not in the address", async () => {
  const { page, context } = await open("public");
  await logIn(page, "ada");
  assert.equal(page.url(), vestibule.pages.public);
  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  assert.ok(!kept.includes("eyJ") && !kept.includes("verifier"), kept);
  await page.reload();
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("button", { name: "Log out" }).waitFor();
  assert.equal((await run(page)).data.me.email, "ada@example.com", "the tenant's session speaks for them");
  await context.close();
});

test("staff come in at the internal door, others are told what they lack, and logging out lets another in", async () => {
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

test("an Authorization of the Headers tab goes before the log in", async () => {
  const { page, context } = await open("public");
  await page.getByRole("button", { name: "Headers", exact: true }).click();
  await page.locator('[aria-label="Headers"] .graphiql-editor:not(.hidden) .CodeMirror').click();
  await page.keyboard.insertText(JSON.stringify({ authorization: `Bearer ${await vestibule.token("edsger")}` }));
  assert.equal((await run(page)).data.me.email, "edsger@example.com");
  await context.close();
});

test("an answer to a login that this page did not begin is refused", async () => {
  const { page, context } = await open("public");
  await page.goto(`${vestibule.pages.public}?code=stolen&state=foreign`);
  await page.getByRole("alert").waitFor();
  assert.match(await page.getByRole("alert").innerText(), /not begun in this tab/);
  assert.equal(page.url(), vestibule.pages.public);
  await context.close();
});
