// Builds the package and asserts how large it is beside React and the client.
import { execFileSync } from "node:child_process";
import { copyFileSync, rmSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Of the package as an application bundles it, in bytes after gzip. */
const MOST = 35 * 1024;

rmSync("dist", { recursive: true, force: true });
execFileSync("npx", ["tsc", "-p", "."], { stdio: "inherit" });
copyFileSync("../../LICENSE", "dist/LICENSE");
copyFileSync("src/styles.css", "dist/styles.css");
const bundle = {
  bundle: true,
  format: "esm",
  target: "es2022",
  platform: "neutral",
  jsx: "automatic",
  external: ["react", "react/jsx-runtime", "@ledgerbell/client", "@ledgerbell/client/graphql"],
  // Frameworks that render on a server run it in the browser, too.
  banner: { js: '"use client";' },
  entryPoints: ["src/index.ts"],
};
await build({ ...bundle, outfile: "dist/index.js" });
const { outputFiles } = await build({ ...bundle, minify: true, write: false });
const size = gzipSync(outputFiles[0].contents, { level: 9 }).length;
console.log(`@ledgerbell/react: ${(size / 1024).toFixed(1)} KiB of ${MOST / 1024} (minified, gzip)`);
if (size > MOST) throw new Error(`the package is larger than ${MOST} bytes`);
