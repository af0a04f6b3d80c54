// A computer that sleeps while a page is open, in Chromium: all its processes are stopped, and the server closes the connection
// meanwhile, of which the browser never hears. One page finds that its token has ended, the other only that nothing answers.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

import { Server } from "../../../tests/clients/server.js";
import { executablePath } from "../../browser.js";
import { Network } from "../../client/test/network.js";
import { sleep, until } from "../../client/test/waiting.js";
import { charge, ownerId } from "./deeds.js";
import { servePage } from "./pageServer.js";

/** How long it sleeps, in seconds. */
const SLEEP = process.env.LEDGERBELL_TEST_FULL === "1" ? 600 : 45;
/**
 * The longest time until the pages show everything, in seconds: 9 of silence, 6 for the answer to a ping, and connecting. The
 * rest is for a machine that is busy with other tests.
 */
const MOST = 45;
/** Alerts that are raised meanwhile. */
const ALERTS = 15;
/** How long the tokens of the two pages last, in seconds. */
const LIFETIMES = [30, 3_600];

let server, network, pages, tokens, launched, browser;

before(async () => {
  [server, pages] = await Promise.all([new Server().start(), servePage()]);
  network = await new Network().to(server);
  tokens = createServer(async ({ url }, response) => {
    response.setHeader("access-control-allow-origin", "*");
    response.end(await server.token(Number(url.slice(1))));
  });
  await new Promise((resolve) => tokens.listen(0, "127.0.0.1", resolve));
  const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  launched = await chromium.launchServer({ executablePath, args });
  browser = await chromium.connect(launched.wsEndpoint());
});

after(async () => {
  await browser?.close();
  await launched?.close();
  tokens?.close();
  network?.close();
  pages?.close();
  await server?.remove();
});

const line = (page, title) => page.getByRole("button", { name: title, exact: true });

/** Opens a page whose tokens last so many seconds. Pages of separate contexts share no connection. */
async function open(lifetime) {
  const page = await (await browser.newContext()).newPage();
  const address = new URL(pages.origin);
  const token = `http://127.0.0.1:${tokens.address().port}/${lifetime}`;
  for (const [name, value] of Object.entries({ show: "Bell,Balance,Inbox,CreditLog", url: network.endpoint, token }))
    address.searchParams.set(name, value);
  await page.goto(address.href);
  await page.locator("tr[data-row]").first().waitFor();
  await until(() => page.evaluate(() => window.clients[0].status.get() === "live"), "live");
  return page;
}

test(`a computer that slept for ${SLEEP} s: its pages show all of it soon, and nothing twice`, async () => {
  const opened = await Promise.all(LIFETIMES.map(open));
  const owner = await ownerId(server);
  await charge(server, owner, "before the sleep");
  for (const page of opened) await line(page, "before the sleep").waitFor();

  // The browser's processes are a group.
  const group = -launched.process().pid;
  process.kill(group, "SIGSTOP");
  const asleep = Date.now();
  try {
    network.sleep();
    for (let at = 1; at <= ALERTS; at += 1) await charge(server, owner, `asleep ${at}`);
    await sleep(SLEEP * 1_000 - (Date.now() - asleep));
  } finally {
    process.kill(group, "SIGCONT");
  }
  const woke = Date.now();
  const read = `{ account { balance { available } creditLog(first: 20) { nodes { description session { title } } }
    alerts(first: 100) { unreadCount items { alert { title } } } } }`;
  const { account } = await server.query(read, {}, server.ownerToken);
  const times = await Promise.all(
    opened.map(async (page) => {
      await line(page, `asleep ${ALERTS}`).waitFor({ timeout: MOST * 1_000 });
      const alerts = page.locator(".lb-inbox .lb-alert").filter({ hasText: "asleep" });
      await until(async () => (await alerts.count()) === ALERTS, "all alerts", MOST);
      return Date.now() - woke;
    }),
  );
  console.log(`asleep for ${((woke - asleep) / 1000).toFixed(0)} s: all shown ${times.join(" and ")} ms after waking`);
  assert.ok(Math.max(...times) <= MOST * 1_000, `${times} ms`);
  for (const page of opened) {
    const titles = await page.locator("tr[data-row] .lb-link").allTextContents();
    assert.deepEqual(
      titles.slice(0, 20),
      account.creditLog.nodes.map(({ session, description }) => session?.title ?? description),
    );
    const shown = await page.locator(".lb-inbox .lb-alert h3").allTextContents();
    assert.deepEqual(
      shown.map((text) => text.replace(" (1 unread)", "")),
      account.alerts.items.map(({ alert }) => alert.title),
    );
    assert.equal(await page.locator(".lb-badge").first().textContent(), String(account.alerts.unreadCount));
    const available = (await page.locator(".lb-available dd").textContent()).replaceAll(",", "");
    assert.equal(Number(available), Number(account.balance.available));
  }
  // It goes on from there.
  await charge(server, owner, "after the sleep");
  for (const page of opened) await line(page, "after the sleep").waitFor();
});
