// `vestibule tenant types` with TypeScript itself: the sample bundle, the actions made of its rules, and the corpus check without
// an error, and a wrong member is one.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import ts from "typescript";
import { root } from "../development.mjs";

const vestibule = (...args) => execFileSync(join(root, "target", "debug", "vestibule"), args, { cwd: root });

/** The errors of `tsc -p FOLDER/jsconfig.json`. */
function check(folder) {
  const file = join(folder, "jsconfig.json");
  const { config } = ts.readConfigFile(file, ts.sys.readFile);
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, folder, undefined, file);
  const program = ts.createProgram(fileNames, options);
  const errors = ts.getPreEmitDiagnostics(program).map(({ file, messageText }) =>
    `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`);
  return { errors, fileNames };
}

test("the bundle, converted rules and the corpus check; a member that is not there does not", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "vestibule-types-"));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(join(root, "fixtures", "tenant"), folder, { recursive: true });
  const corpus = join(root, "src", "script", "tests", "corpus");
  for (const name of readdirSync(join(corpus, "actions")).filter((file) => file.endsWith(".js"))) {
    const action = join(folder, "actions", basename(name, ".js"));
    mkdirSync(action, { recursive: true });
    const kind = { onExecutePostLogin: "PostLogin", onExecuteCredentialsExchange: "CredentialsExchange" };
    const code = readFileSync(join(corpus, "actions", name), "utf8");
    const [, handler] = code.match(/exports\.(\w+)/);
    const types = kind[handler] ? `/**\n * @param {${kind[handler]}Event} event\n * @param {${kind[handler]}API} api\n */\n` : "";
    writeFileSync(join(action, "code.js"), code.replace(/^exports\./m, `${types}exports.`));
  }
  vestibule("tenant", "convert", folder, "--write", "--force");
  vestibule("tenant", "types", folder);
  const { errors, fileNames } = check(folder);
  assert.deepEqual(errors, []);
  assert.ok(fileNames.length > 35, `${fileNames.length} files`);

  const wrong = "/**\n * @param {Event} event\n * @param {PostLoginAPI} api\n */\nexports.onExecutePostLogin = async (event, api) => {\n  event.user.emial;\n  api.access.deny(7);\n};\n";
  writeFileSync(join(folder, "actions", "roles-claims", "code.js"), wrong);
  const found = check(folder).errors.join("\n");
  assert.match(found, /'emial' does not exist/);
  assert.match(found, /'number' is not assignable/);
});
