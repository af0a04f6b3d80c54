// Chromium, and pages in it, for the tests of all packages.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const PLACES = [
  process.env.LEDGERBELL_TEST_CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** The path of the installed Chromium, or undefined. */
export const executablePath = PLACES.find((path) => path && existsSync(path));

/** Starts Chromium. */
export function startBrowser() {
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
}

/** A page, and what it complained of: violations of its policy, failed requests, errors. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { page, complaints, close: () => context.close() };
}

/**
 * The faults of accessibility that axe finds in the selected part of a page. The driver injects axe, for a page's policy may forbid inline
 * scripts. Nothing moves meanwhile: axe would measure the contrast of a text that is half faded in.
 */
export async function violations(page, part, rulesLeftOut) {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.evaluate(AXE);
  return page.evaluate(
    async ([part, rulesLeftOut]) => {
      const rules = Object.fromEntries(rulesLeftOut.map((rule) => [rule, { enabled: false }]));
      const { violations } = await window.axe.run(part, { resultTypes: ["violations"], rules });
      return violations.map(({ id, nodes }) => [
        id,
        nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`),
      ]);
    },
    [part, rulesLeftOut],
  );
}
