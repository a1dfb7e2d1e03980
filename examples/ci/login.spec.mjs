// Your application reads the tenant's address from its environment; here it is at APP_URL.
import { expect, test } from "@playwright/test";

const tenant = JSON.parse(process.env.TENANT);

test("a person logs in", async ({ page }) => {
  const person = tenant.users.find((user) => user.password);
  await page.goto(process.env.APP_URL);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByLabel("Email").fill(person.email);
  await page.getByLabel("Password").fill(person.password);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await expect(page.getByText(person.email)).toBeVisible();
});

test("the application says that logins are down", async ({ page, request }) => {
  await request.post(`${tenant.http}dev/faults`, { data: { path: "/oauth/token", answer: 503, times: 1 } });
  await page.goto(process.env.APP_URL);
  // …
});
