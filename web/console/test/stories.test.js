// The three questions of the help page, each from beginning to end in Chromium, as a member lives through it. Sessions are charged and
// alerts flow all the while, and the server is killed and started again in the middle. A visitor of the demo needs less than two minutes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Server } from "../../../tests/clients/server.js";
import { openPage, startBrowser } from "../../browser.js";
import { until } from "../../client/test/waiting.js";
import { charge, ownerId } from "../../react/test/deeds.js";

/** The most seconds of a story. It is the promise to visitors, and far from what a machine needs. */
const MOST = 120;
/** Sessions that are charged during a story. Each raises an alert. */
const CHARGES = 12;

let server;
let browser;
let owner;

before(async () => {
  [server, browser] = await Promise.all([new Server().start(), startBrowser()]);
  owner = await ownerId(server);
});

after(async () => {
  await browser?.close();
  await server?.remove();
});

/** Tells a story to its end, and prints how long it took. */
function story(question, name, tell) {
  test(question, async () => {
    const began = performance.now();
    const { page, close } = await openPage(browser);
    page.setDefaultTimeout(30_000);
    await page.goto(server.url);
    await page.getByRole("button", { name: /Owner/ }).click();
    const screen = (name) => page.getByRole("navigation").getByRole("link", { name, exact: true }).click();
    const ask = async () => {
      await screen("Help");
      await page.getByRole("button", { name: question }).click();
    };
    const titles = Array.from({ length: CHARGES }, (_, at) => `${name} ${at + 1}`);
    let charged = 0;
    const flowing = async () => {
      for (const title of titles) {
        await charge(server, owner, title);
        charged += 1;
      }
    };
    /** Kills the server while sessions are charged, and starts it again. */
    const kill = async () => {
      const done = flowing();
      await until(() => charged >= CHARGES / 3, "some are charged");
      await server.kill();
      await server.start();
      return done;
    };
    await tell({ page, screen, ask, kill, titles });
    await close();
    const seconds = (performance.now() - began) / 1000;
    console.log(`${question} ${seconds.toFixed(1)} s, with a kill of the server`);
    assert.ok(seconds < MOST, `${seconds} s`);
  });
}

story("Why did my credits change?", "A change", async ({ page, ask, kill, titles }) => {
  await ask();
  const log = page.getByRole("region", { name: "Credit log" });
  await log.locator("tr[data-row]").first().waitFor();
  await kill();
  // Each is in the log of the page that was open all the time, once.
  const line = (title) => log.getByRole("button", { name: title, exact: true });
  await line(titles.at(-1)).waitFor();
  for (const title of titles) assert.equal(await line(title).count(), 1, title);
  // What made up the balance, and one line in full.
  const explained = page.getByRole("region", { name: "Explain" });
  await explained.getByText("-0.01").first().waitFor();
  await line(titles.at(-1)).click();
  await page.getByRole("dialog").getByText("Session", { exact: true }).first().waitFor();
});

story("Why did a top-up fail?", "Meanwhile", async ({ page, screen, ask, kill }) => {
  await screen("Demo controls");
  await page.getByRole("combobox", { name: "Try a card" }).selectOption("card_declines_once");
  await page.getByRole("button", { name: "Try a card" }).click();
  await page.getByText("Done.").waitFor();
  await ask();
  const failed = page.getByRole("article", { name: "10 credits" }).first();
  await failed.getByText(/bank declined/).waitFor();
  await kill();
  await failed.getByRole("button", { name: "Retry now" }).click();
  await failed.getByText("Paid", { exact: true }).first().waitFor();
  await failed.getByText("2 attempts").click();
  await failed.getByText("Declined: the bank gave no reason").waitFor();
});

story("Why did I get no alert?", "An alert", async ({ page, screen, ask, kill, titles }) => {
  await screen("Notifications");
  const byMail = page.getByRole("switch", { name: /Session charged.*e-mail/ });
  await byMail.uncheck();
  await ask();
  const inbox = page.getByRole("region", { name: "Alerts", exact: true });
  await kill();
  // Each alert is in the inbox of the page that was open all the time, once.
  await inbox.getByLabel("Kind").selectOption("SESSION_CHARGED");
  const alert = (title) => inbox.getByRole("listitem").filter({ has: page.getByText(title, { exact: true }) });
  await alert(titles.at(-1)).waitFor();
  for (const title of titles) assert.equal(await alert(title).count(), 1, title);
  // Why it was not mailed, and that mail arrives once it is wanted.
  const newest = alert(titles.at(-1));
  await newest.getByText("Who was notified").click();
  await newest.getByText("The member has switched this off.").waitFor();
  await screen("Notifications");
  await byMail.check();
  await page.getByRole("button", { name: "Send test alert" }).click();
  await screen("Alerts");
  await inbox.getByRole("listitem").filter({ hasText: "Test" }).first().waitFor();
});
