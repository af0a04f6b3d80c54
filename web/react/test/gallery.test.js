// Tests every state of every component in the gallery, in Chromium: axe, width, and the browser's errors.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { startBrowser, violations } from "../../browser.js";
import { serve } from "./pageServer.js";

const DIST = fileURLToPath(new URL("../../gallery/dist", import.meta.url));
const STATES = ["loading", "waiting", "empty", "error", "offline", "one", "many", "long"];
const LOOKS = [
  { theme: "light", locale: "en", dir: "ltr", width: 1100 },
  { theme: "dark", locale: "de", dir: "rtl", width: 390 },
];

describe("the gallery", { concurrency: 2 }, () => {
  let browser, pages;
  before(async () => {
    const files = {};
    for (const entry of readdirSync(DIST, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) files[path.slice(DIST.length)] = readFileSync(path);
    }
    files["/"] = files["/index.html"];
    [browser, pages] = await Promise.all([startBrowser(), serve(files)]);
  });
  after(async () => {
    await browser?.close();
    pages?.close();
  });

  for (const { width, ...look } of LOOKS)
    for (const state of STATES)
      test(`${state}: ${Object.values(look).join(", ")}, ${width} px wide`, async () => {
        const context = await browser.newContext({ viewport: { width, height: 900 } });
        try {
          const page = await context.newPage();
          const complaints = [];
          page.on("pageerror", (error) => complaints.push(error.message));
          page.on(
            "console",
            (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()),
          );
          await page.goto(`${pages.origin}/?${new URLSearchParams({ ...look, state })}`);
          const settled = {
            loading: () => document.querySelectorAll("[aria-busy=true]").length > 8,
            waiting: () => document.querySelectorAll("[aria-busy=true]").length === 1,
            error: () => document.querySelectorAll("[role=alert]").length > 8,
            offline: () => document.querySelectorAll(".lb-trouble").length > 5,
          };
          await page.waitForFunction(settled[state] ?? (() => !document.querySelector("[aria-busy=true]")));
          if (state !== "loading" && state !== "error") await page.locator(".lb-filters button").first().click();
          assert.deepEqual(await violations(page, "html", ["page-has-heading-one"]), []);
          assert.deepEqual(complaints, []);
          const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(over <= 0, `${over} px wider than the page`);
          if (process.env.LEDGERBELL_TEST_PICTURES)
            await page.screenshot({
              path: `${process.env.LEDGERBELL_TEST_PICTURES}/${state}-${look.theme}.png`,
              fullPage: true,
            });
        } finally {
          await context.close();
        }
      });
});
