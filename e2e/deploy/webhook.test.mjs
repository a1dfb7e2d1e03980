// GitLab's signatures, made by the library of Standard Webhooks.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { development } from "../development.mjs";

test("the webhook accepts what standardwebhooks signs, and nothing else", async () => {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const vestibule = await development(["forge.project=team/tenant", `forge.signing_token=${secret}`]);
  const commit = randomBytes(20).toString("hex");
  const push = { ref: "refs/heads/main", before: commit, after: commit, project: { path_with_namespace: "team/tenant" } };
  const send = (signed, { body = signed, at = new Date(), key = secret } = {}) => {
    const id = `msg_${randomUUID()}`;
    const headers = {
      "content-type": "application/json",
      "x-gitlab-event": "Push Hook",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at / 1000)),
      "webhook-signature": new Webhook(key).sign(id, at, signed),
    };
    return fetch(new URL("/webhooks/gitlab", vestibule.internal), { method: "POST", headers, body });
  };
  try {
    const body = JSON.stringify(push);
    const accepted = await send(body);
    assert.equal(accepted.status, 202);
    assert.match((await accepted.json()).message, /^Request ignored: 'main' is not the branch of a target/);
    assert.equal((await send(body, { body: `${body} ` })).status, 401);
    assert.equal((await send(body, { at: new Date(Date.now() - 600_000) })).status, 401);
    assert.equal((await send(body, { key: `whsec_${randomBytes(32).toString("base64")}` })).status, 401);
  } finally {
    await vestibule.stop();
  }
});
