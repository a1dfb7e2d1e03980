// Builds `dist/`, which the executable embeds: the script, the style sheet and the licenses, gzip-compressed.
// `npm ci && npm run build`. The build is reproducible: the same sources and lock file give the same bytes.

import { build } from "esbuild";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

process.chdir(import.meta.dirname);

/** Removes GraphiQL's fonts, which are as large as the rest of the bundle; the page uses system fonts. */
const withoutFonts = {
  name: "without-fonts",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.css$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace(/@font-face\s*\{[^}]*\}/g, ""),
      loader: "css",
    })),
};

const { outputFiles, metafile } = await build({
  entryPoints: { graphiql: "app.jsx" },
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "none",
  alias: { "react-style-singleton": "./no-style-tags.js" },
  plugins: [withoutFonts],
  metafile: true,
  write: false,
});

/** The license text of every package in the bundle. */
function licenses() {
  const folder = (input) => input.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0];
  const folders = [...new Set(Object.keys(metafile.inputs).map(folder).filter(Boolean))].sort();
  return folders.map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
    const text = file ? readFileSync(join(folder, file), "utf8").trim() : `Its package says: ${license}.`;
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
}

mkdirSync("dist", { recursive: true });
const texts = outputFiles.map(({ path, contents }) => [path, contents]);
texts.push([join("dist", "LICENSES.txt"), Buffer.from(licenses().join(`\n${"-".repeat(80)}\n\n`))]);
for (const [path, contents] of texts) {
  const packed = gzipSync(contents, { level: 9 });
  writeFileSync(`${path}.gz`, packed);
  console.log(`${path.split("/").pop()}: ${contents.length} bytes, ${packed.length} packed`);
}
