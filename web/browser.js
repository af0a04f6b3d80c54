// Chromium and a demo server for tests of pages that the server serves.
import { chromium } from "playwright-core";

/** Starts Chromium: the one that LEDGERBELL_TEST_CHROMIUM names, or Debian's. */
export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.LEDGERBELL_TEST_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
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
