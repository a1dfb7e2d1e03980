// The audits of GraphQL over HTTP that the package graphql-http brings: each door passes all 61, warnings included.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { serverAudits } from "graphql-http";
import { forTheTests } from "../development.mjs";

const vestibule = forTheTests({ public: "grace", internal: "katherine" });
const { tokens } = vestibule;

for (const door of ["public", "internal"]) {
  describe(`the ${door} door`, () => {
    const audits = serverAudits({
      url: () => vestibule[door],
      fetchFn: (url, init = {}) => {
        const headers = new Headers(init.headers);
        headers.set("Authorization", `Bearer ${tokens[door]}`);
        return fetch(url, { ...init, headers });
      },
    });

    test("there are 61 audits", () => assert.equal(audits.length, 61));
    for (const audit of audits) {
      test(`${audit.id} ${audit.name}`, async () => {
        const { status, reason } = await audit.fn();
        assert.equal(status, "ok", reason);
      });
    }
  });
}
