// Builds the package and asserts how large it is beside React and the client.
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Of the package as an application bundles it, in bytes after gzip. */
const MOST = 35 * 1024;
/** The same with the primitives of Radix that it depends on. */
const MOST_WITH_PRIMITIVES = 64 * 1024;

rmSync("dist", { recursive: true, force: true });
execFileSync("npx", ["tsc", "-p", "."], { stdio: "inherit" });
copyFileSync("../../LICENSE", "dist/LICENSE");
// In this order: later rules overrule earlier ones.
const styles = ["base", "alerts", "log", "money"].map((name) => readFileSync(`src/styles/${name}.css`, "utf8"));
writeFileSync("dist/styles.css", styles.join("\n"));
/** Takes what documents need not have out of them. */
const documents = {
  name: "documents",
  setup: ({ onLoad }) =>
    onLoad({ filter: /src.documents./ }, ({ path }) => {
      const tight = (text) => text.replace(/\s+/g, " ").replace(/ ?([{}():,`]) ?/g, "$1");
      return { contents: readFileSync(path, "utf8").replace(/`[^`]*`/g, tight), loader: "ts" };
    }),
};
const beside = ["react", "react-dom", "@ledgerbell/client"];
const bundle = {
  bundle: true,
  format: "esm",
  target: "es2022",
  platform: "neutral",
  mainFields: ["module", "main"],
  jsx: "automatic",
  entryPoints: ["src/index.ts"],
  plugins: [documents],
};
const own = {
  ...bundle,
  external: [...beside, "@radix-ui/*"],
  // Frameworks that render on a server run it in the browser, too.
  banner: { js: '"use client";' },
};
await build({ ...own, outfile: "dist/index.js" });
const sizeOf = async (options) => {
  const { outputFiles } = await build({ ...options, minify: true, write: false });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
};
const size = await sizeOf(own);
const all = await sizeOf({ ...bundle, external: beside });
const kib = (bytes) => (bytes / 1024).toFixed(1);
console.log(`@ledgerbell/react: ${kib(size)} KiB of ${MOST / 1024} (minified, gzip); ${kib(all)} with its primitives`);
if (size > MOST) throw new Error(`the package is larger than ${MOST} bytes`);
if (all > MOST_WITH_PRIMITIVES)
  throw new Error(`the package with its primitives is larger than ${MOST_WITH_PRIMITIVES} bytes`);
