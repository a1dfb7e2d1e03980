// The client graphql-ws at both doors: operations over a WebSocket, and how sockets are closed.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { development, sharedDevelopment } from "../development.mjs";

const RENAME = "mutation Rename($nickname: String) { updateMe(input: { nickname: $nickname }) { me { id } } }";

const vestibule = sharedDevelopment({ public: "katherine", internal: "katherine" });
const { tokens } = vestibule;

/** A client that does not reconnect; `closed` resolves with the close event. */
function client(url, connectionParams, options = {}) {
  let close;
  const closed = new Promise((resolve) => (close = resolve));
  const on = { ...options.on, closed: close };
  const socket = { url: url.replace("http", "ws"), webSocketImpl: WebSocket, connectionParams, retryAttempts: 0 };
  return { ...createClient({ ...socket, ...options, on }), closed };
}

/** Replaces the first character of a signature. */
const forged = (_, first, rest) => `.${first === "A" ? "B" : "A"}${rest}`;

for (const door of ["public", "internal"]) {
  describe(`at the ${door} door`, () => {
    test("an operation with variables is answered over a socket", async () => {
      const socket = client(vestibule[door], { Authorization: `Bearer ${tokens[door]}` });
      const query = "query Who($more: Boolean!) { me { email roles @include(if: $more) } }";
      const { value } = await socket.iterate({ query, variables: { more: true } }).next();
      assert.deepEqual(value.data.me, { email: "katherine@example.com", roles: ["admin"] });
      await socket.dispose();
    });

    test("the client provides its token at each connect, and so can renew it", async () => {
      let calls = 0;
      const socket = client(vestibule[door], () => {
        calls += 1;
        return { Authorization: `Bearer ${tokens[door]}` };
      });
      await socket.iterate({ query: "{ __typename }" }).next();
      assert.equal(calls, 1);
      await socket.dispose();
    });

    test("an invalid operation fails without closing the socket", async () => {
      const socket = client(vestibule[door], { Authorization: `Bearer ${tokens[door]}` }, { lazyCloseTimeout: 5000 });
      const invalid = socket.iterate({ query: "{ nothingOfTheKind }" });
      await assert.rejects(invalid.next(), (errors) => /nothingOfTheKind/.test(errors[0].message));
      const { value } = await socket.iterate({ query: "{ me { email } }" }).next();
      assert.equal(value.data.me.email, "katherine@example.com");
      await socket.dispose();
    });

    test("a socket without a valid token is closed with 4403 and the refusal's code", async () => {
      for (const [params, code] of [
        [{}, "NO_TOKEN"],
        [{ Authorization: `Bearer ${tokens[door].replace(/\.([^.])([^.]*)$/, forged)}` }, "BAD_SIGNATURE"],
        [{ Authorization: `Bearer ${tokens[door === "public" ? "internal" : "public"]}` }, "WRONG_AUDIENCE"],
      ]) {
        const socket = client(vestibule[door], params);
        await assert.rejects(socket.iterate({ query: "{ me { id } }" }).next());
        const { code: closeCode, reason } = await socket.closed;
        assert.equal(closeCode, 4403);
        assert.ok(reason.startsWith(code), reason);
      }
    });
  });
}

/** The next event of a subscription. Repeats `change` until it comes, because the server does not say when it has subscribed. */
async function nextEvent(subscription, change) {
  const next = subscription.next();
  const timer = setInterval(change, 200);
  try {
    return (await next).value.data;
  } finally {
    clearInterval(timer);
  }
}

/** Sends a mutation over a new socket. */
async function change(door, query, variables) {
  const socket = client(vestibule[door], { Authorization: `Bearer ${tokens[door]}` });
  const { value } = await socket.iterate({ query, variables }).next();
  assert.equal(value.errors, undefined);
  await socket.dispose();
}

test("a person receives events for their own changes", async () => {
  const socket = client(vestibule.public, { Authorization: `Bearer ${tokens.public}` });
  const events = socket.iterate({ query: "subscription { meChanged { nickname } }" });
  let count = 0;
  const { meChanged } = await nextEvent(events, () => change("public", RENAME, { nickname: `Kate ${(count += 1)}` }));
  assert.match(meChanged.nickname, /^Kate /);
  await events.return();
  await socket.dispose();
});

test("staff receive events for all users, until their tokens are revoked", async () => {
  const socket = client(vestibule.internal, { Authorization: `Bearer ${tokens.internal}` });
  const events = socket.iterate({ query: "subscription { userChanged { email nickname } }" });
  let count = 0;
  const { userChanged } = await nextEvent(events, () => change("public", RENAME, { nickname: `Kathy ${(count += 1)}` }));
  assert.equal(userChanged.email, "katherine@example.com");

  const rest = (async () => {
    for await (const _ of events);
  })();
  // The socket may close before the mutation's response arrives.
  const rejected = assert.rejects(rest);
  await change("public", "mutation { signOutEverywhere(input: {}) { tokensValidFrom } }");
  await rejected;
  const { code, reason } = await socket.closed;
  assert.equal(code, 4403);
  assert.ok(reason.startsWith("TOKEN_REVOKED"), reason);
});

test("a stopping server closes its sockets with 1001 and exits with 0", async () => {
  const other = await development();
  const params = { Authorization: `Bearer ${await other.token("katherine")}` };
  const on = { connected: () => other.child.kill("SIGTERM") };
  const socket = client(other.public, params, { lazy: false, onNonLazyError: () => {}, on });
  assert.equal((await socket.closed).code, 1001);
  await socket.dispose();
  assert.equal(await other.stop(), 0);
});
