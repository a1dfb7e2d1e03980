// The GraphQL over HTTP audits of the package graphql-http: both doors pass all 61, including the optional ones.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { serverAudits } from "graphql-http";
import { sharedDevelopment } from "../development.mjs";

const vestibule = sharedDevelopment({ public: "grace", internal: "katherine" });
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

    test("all 61 audits run", () => assert.equal(audits.length, 61));
    for (const audit of audits) {
      test(`${audit.id} ${audit.name}`, async () => {
        const { status, reason } = await audit.fn();
        assert.equal(status, "ok", reason);
      });
    }
  });
}
