// Builds the explorer.
import { execFileSync } from "node:child_process";
import { build } from "vite";

import { firstLoad, pack } from "../pages.js";

/** The maximum size of a first load, in bytes after gzip. The editor is large. */
const MOST = 1_500 * 1024;

execFileSync("npx", ["tsc", "-p", "."], { stdio: "inherit" });
await build({ logLevel: "error" });
pack("dist");
const size = firstLoad("dist");
console.log(`explorer: ${(size / 1024).toFixed(0)} KiB of ${MOST / 1024} (first load, gzip)`);
if (size > MOST) throw new Error(`the first load is larger than ${MOST} bytes`);
