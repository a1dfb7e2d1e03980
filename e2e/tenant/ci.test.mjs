// The setup of `examples/ci`.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../development.mjs";

test("the example's setup hands a running tenant to the tests", async () => {
  process.chdir(root);
  process.env.VESTIBULE = join(root, "target", "debug", "vestibule");
  const { default: setup } = await import(join(root, "examples", "ci", "global-setup.mjs"));
  const teardown = await setup();
  try {
    const tenant = JSON.parse(process.env.TENANT);
    const person = tenant.users.find((user) => user.password);
    const login = { grant_type: "password", client_id: "spa", username: person.email, password: person.password };
    const token = () =>
      fetch(`${tenant.http}oauth/token`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(login),
      });
    assert.equal((await token()).status, 200);
    const fault = { path: "/oauth/token", answer: 503, times: 1 };
    const headers = { "content-type": "application/json" };
    await fetch(`${tenant.http}dev/faults`, { method: "POST", headers, body: JSON.stringify(fault) });
    assert.equal((await token()).status, 503);
    assert.equal((await token()).status, 200);
  } finally {
    teardown();
  }
});
