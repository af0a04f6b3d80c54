// Prints Lighthouse's figure of accessibility for each screen of the console, wide and on a phone, and fails below 95. By hand:
// npm run lighthouse --workspace console [-- SCREEN …]
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

import { Server } from "../../../tests/clients/server.js";
import { executablePath } from "../../browser.js";
import { freePort } from "../../react/test/pageServer.js";

const LEAST = 95;
const OF_OWNER = [
  "overview",
  "log",
  "usage",
  "sessions",
  "topups",
  "rule",
  "alerts",
  "settings",
  "members",
  "keys",
  "help",
  "demo",
];
const OF_OPERATOR = ["accounts", "operations", "account"];
const FORMS = { wide: ["--preset=desktop"], phone: [] };

const run = promisify(execFile);

/** The score of a page in a browser that is signed in, and what lowered it. */
async function audit(url, port, flags) {
  const options = [
    "--only-categories=accessibility",
    "--output=json",
    "--disable-storage-reset",
    "--quiet",
    "--no-enable-error-reporting",
  ];
  const { stdout } = await run("lighthouse", [url, `--port=${port}`, ...options, ...flags], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const { categories, audits, runtimeError } = JSON.parse(stdout);
  if (runtimeError) throw new Error(`${url}: ${runtimeError.message}`);
  const faults = Object.values(audits).filter(({ score, details }) => score === 0 && details?.items?.length);
  return {
    score: Math.round(categories.accessibility.score * 100),
    faults: faults.map(({ id, details }) => `${id}: ${details.items.map(({ node }) => node?.snippet).slice(0, 2)}`),
  };
}

/** The screens to look at; all without any. */
const wanted = process.argv.slice(2);
const server = await new Server().start();
const profile = mkdtempSync(join(tmpdir(), "ledgerbell-lighthouse."));
const low = [];
try {
  for (const [role, screens] of [
    ["Owner", OF_OWNER],
    ["Operator", OF_OPERATOR],
  ]) {
    const port = await freePort();
    const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", `--remote-debugging-port=${port}`];
    const browser = await chromium.launchPersistentContext(join(profile, role), { executablePath, args });
    const page = await browser.newPage();
    await page.goto(server.url);
    await page.getByRole("button", { name: new RegExp(role) }).click();
    await page.getByRole("navigation").waitFor();
    for (const screen of screens.filter((name) => wanted.length === 0 || wanted.includes(name))) {
      const path = screen === "account" ? `accounts/${server.accountId}/account` : screen;
      for (const [form, flags] of Object.entries(FORMS)) {
        const { score, faults } = await audit(`${server.url}/#/${path}`, port, flags);
        console.log(`${screen.padEnd(10)} ${form.padEnd(6)} ${score}${faults.map((fault) => `\n  ${fault}`).join("")}`);
        if (score < LEAST) low.push(`${screen} (${form}): ${score}`);
      }
    }
    await browser.close();
  }
} finally {
  await server.remove();
  rmSync(profile, { recursive: true, force: true });
}
if (low.length) throw new Error(`below ${LEAST}: ${low.join(", ")}`);
