// The client graphql-ws at both doors: operations over a WebSocket, and how a socket ends.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { development, forTheTests } from "../development.mjs";

const RENAME = "mutation Rename($nickname: String) { updateMe(input: { nickname: $nickname }) { me { id } } }";

const vestibule = forTheTests({ public: "katherine", internal: "katherine" });
const { tokens } = vestibule;

/** A client that does not try again; `ended` gives the close event. */
function client(url, connectionParams, options = {}) {
  let close;
  const ended = new Promise((resolve) => (close = resolve));
  const on = { ...options.on, closed: close };
  const socket = { url: url.replace("http", "ws"), webSocketImpl: WebSocket, connectionParams, retryAttempts: 0 };
  return { ...createClient({ ...socket, ...options, on }), ended };
}

/** A signature with another first character. */
const forged = (_, first, rest) => `.${first === "A" ? "B" : "A"}${rest}`;

for (const door of ["public", "internal"]) {
  describe(`at the ${door} door`, () => {
    test("an operation is answered over a socket, with its variables", async () => {
      const socket = client(vestibule[door], { Authorization: `Bearer ${tokens[door]}` });
      const query = "query Who($more: Boolean!) { me { email roles @include(if: $more) } }";
      const { value } = await socket.iterate({ query, variables: { more: true } }).next();
      assert.deepEqual(value.data.me, { email: "katherine@example.com", roles: ["admin"] });
      await socket.dispose();
    });

    test("a socket's token is asked for when it connects, so that a client may renew it", async () => {
      let asked = 0;
      const socket = client(vestibule[door], () => {
        asked += 1;
        return { Authorization: `Bearer ${tokens[door]}` };
      });
      await socket.iterate({ query: "{ __typename }" }).next();
      assert.equal(asked, 1);
      await socket.dispose();
    });

    test("an invalid operation ends alone, the socket stays", async () => {
      const socket = client(vestibule[door], { Authorization: `Bearer ${tokens[door]}` }, { lazyCloseTimeout: 5000 });
      const invalid = socket.iterate({ query: "{ nothingOfTheKind }" });
      await assert.rejects(invalid.next(), (errors) => /nothingOfTheKind/.test(errors[0].message));
      const { value } = await socket.iterate({ query: "{ me { email } }" }).next();
      assert.equal(value.data.me.email, "katherine@example.com");
      await socket.dispose();
    });

    test("without a good token the socket is closed with 4403 and the refusal's code", async () => {
      for (const [params, code] of [
        [{}, "NO_TOKEN"],
        [{ Authorization: `Bearer ${tokens[door].replace(/\.([^.])([^.]*)$/, forged)}` }, "BAD_SIGNATURE"],
        [{ Authorization: `Bearer ${tokens[door === "public" ? "internal" : "public"]}` }, "WRONG_AUDIENCE"],
      ]) {
        const socket = client(vestibule[door], params);
        await assert.rejects(socket.iterate({ query: "{ me { id } }" }).next());
        const { code: closed, reason } = await socket.ended;
        assert.equal(closed, 4403);
        assert.ok(reason.startsWith(code), reason);
      }
    });
  });
}

/** The next value of a subscription, once `change` has changed something. The server needs a moment to subscribe. */
async function changed(subscription, change) {
  const next = subscription.next();
  const again = setInterval(change, 200);
  try {
    return (await next).value.data;
  } finally {
    clearInterval(again);
  }
}

/** Sends a mutation over a socket of its own. */
async function change(door, query, variables) {
  const socket = client(vestibule[door], { Authorization: `Bearer ${tokens[door]}` });
  const { value } = await socket.iterate({ query, variables }).next();
  assert.equal(value.errors, undefined);
  await socket.dispose();
}

test("a person hears of what they change of themselves", async () => {
  const socket = client(vestibule.public, { Authorization: `Bearer ${tokens.public}` });
  const heard = socket.iterate({ query: "subscription { meChanged { nickname } }" });
  let count = 0;
  const { meChanged } = await changed(heard, () => change("public", RENAME, { nickname: `Kate ${(count += 1)}` }));
  assert.match(meChanged.nickname, /^Kate /);
  await heard.return();
  await socket.dispose();
});

test("staff hear of what changes, and the socket is closed once their tokens are revoked", async () => {
  const socket = client(vestibule.internal, { Authorization: `Bearer ${tokens.internal}` });
  const heard = socket.iterate({ query: "subscription { userChanged { email nickname } }" });
  let count = 0;
  const { userChanged } = await changed(heard, () => change("public", RENAME, { nickname: `Kathy ${(count += 1)}` }));
  assert.equal(userChanged.email, "katherine@example.com");

  const rest = (async () => {
    for await (const _ of heard);
  })();
  await change("public", "mutation { signOutEverywhere(input: {}) { tokensValidFrom } }");
  await assert.rejects(rest);
  const { code, reason } = await socket.ended;
  assert.equal(code, 4403);
  assert.ok(reason.startsWith("TOKEN_REVOKED"), reason);
});

test("a server that stops closes its sockets with 1001 and ends cleanly", async () => {
  const other = await development();
  const params = { Authorization: `Bearer ${await other.token("katherine")}` };
  const on = { connected: () => other.child.kill("SIGTERM") };
  const socket = client(other.public, params, { lazy: false, onNonLazyError: () => {}, on });
  assert.equal((await socket.ended).code, 1001);
  await socket.dispose();
  assert.equal(await other.stop(), 0);
});
