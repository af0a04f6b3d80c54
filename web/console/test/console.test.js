// Tests the console in Chromium, as the server serves it under its policy: every screen for each of the demo's people.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Server } from "../../../tests/clients/server.js";
import { openPage, startBrowser, violations } from "../../browser.js";
import { until } from "../../client/test/waiting.js";
import { does } from "../../react/test/deeds.js";

let server;
let browser;

before(async () => {
  [server, browser] = await Promise.all([new Server().start(), startBrowser()]);
});

after(async () => {
  await browser?.close();
  await server?.remove();
});

/** Opens the console, signed in by a click as one of the demo's people. */
async function signedIn(role, options = {}) {
  const opened = await openPage(browser, options);
  const { page } = opened;
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(server.url);
  await page.getByRole("button", { name: new RegExp(role) }).click();
  await page.getByRole("navigation").waitFor();
  const screen = async (name) => {
    await page.getByRole("navigation").getByRole("link", { name, exact: true }).click();
    await page.locator("main [aria-busy=true]").first().waitFor({ state: "detached" });
  };
  return { ...opened, requests, screen };
}

/** Returns what a browser stores for a page. */
function kept(page) {
  return page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]),
  );
}

/** Returns the faults of accessibility of a screen. */
const violationsOn = (page) => violations(page, "html", []);

test("the link of the demo signs the owner in, once, and also after the page was loaded again", async () => {
  const { page, complaints, close } = await openPage(browser);
  await page.goto(server.consoleLink);
  await page.locator(".console-who").getByText("Maren Vogel").waitFor();
  await page.getByRole("heading", { name: "Balance" }).waitFor();
  assert.equal(page.url(), `${server.url}/`, "the code is gone from the address");
  // From here on it is live.
  await does(server, "adjustCredits", {
    accountId: server.accountId,
    amount: "0.5",
    description: "Seen without another click",
    idempotencyKey: "live",
  });
  await page.getByRole("button", { name: "Seen without another click" }).waitFor();
  const browserKeeps = await kept(page);
  for (const secret of ["eyJ", "lb_", new URL(server.consoleLink).hash.slice(6)]) {
    assert.ok(!browserKeeps.includes(secret), `${secret} is in ${browserKeeps}`);
  }
  await page.reload();
  await page.locator(".console-who").getByText("Maren Vogel").waitFor();
  assert.deepEqual(complaints, []);

  const other = await openPage(browser);
  await other.page.goto(server.consoleLink);
  await other.page.getByRole("alert").getByText("This link was used before").waitFor();
  await other.close();

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: /Operator/ }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: /Operator/ }).waitFor();
  await close();
});

test("each screen of the owner shows what it is for, is accessible, and asks nothing of another site", async () => {
  const { page, complaints, requests, screen, close } = await signedIn("Owner");
  for (const [name, seen] of [
    ["Credit log", "entries"],
    ["Usage", "Zoé Laurent"],
    ["Sessions", "held"],
    ["Top-ups", "Retry now"],
    ["Auto top-up", "Charged this month"],
    ["Alerts", "Top-up failed"],
    ["Notifications", "E-mail address"],
    ["Members", "Zoé Laurent"],
    ["API keys", "Permissions"],
    ["Help", "Why did my credits change?"],
    ["Demo controls", "Start a steady load"],
    ["Overview", "Needs attention"],
  ]) {
    await screen(name);
    const text = page.locator("main").getByText(seen).filter({ visible: true });
    await text.first().waitFor({ timeout: 10_000 });
    assert.deepEqual(await violationsOn(page), [], name);
  }
  assert.deepEqual(complaints, []);
  assert.deepEqual(
    requests.filter((url) => !url.startsWith(server.url) && !url.startsWith("data:")),
    [],
  );
  await close();
});

test("what the demo's controls do is live on the page: a session is deducted, a card fails and is retried", async () => {
  const { page, complaints, screen, close } = await signedIn("Owner");
  await screen("Demo controls");
  const available = page.locator(".lb-available dd");
  const before = Number((await available.innerText()).replace(",", ""));
  await page.getByRole("button", { name: "Book and complete a session" }).click();
  await page.waitForFunction(
    (wanted) => Number(document.querySelector(".lb-available dd").textContent.replace(",", "")) === wanted,
    before - 2.5,
  );
  // A steady load, and its end.
  const started = Number((await available.innerText()).replace(",", ""));
  await page.getByRole("button", { name: "Start a steady load" }).click();
  await page.waitForFunction(
    (wanted) => Number(document.querySelector(".lb-available dd").textContent.replace(",", "")) <= wanted,
    started - 3 * 2.5,
  );
  await page.getByRole("button", { name: "Stop the load" }).click();
  const balance = page.getByRole("region", { name: "Balance" });
  await page.getByRole("button", { name: "Freeze the account" }).click();
  await balance.getByText("Frozen by the demo's controls").waitFor();
  await page.getByRole("button", { name: "End the freeze" }).click();
  await balance.getByText("Frozen by the demo's controls").waitFor({ state: "detached" });
  await page.getByRole("combobox", { name: "Try a card" }).selectOption("card_declines_once");
  await page.getByRole("button", { name: "Try a card" }).click();
  await page.getByText("Done.").waitFor();
  await screen("Top-ups");
  const failed = page.getByRole("article").filter({ hasText: "10 credits" }).first();
  await failed.getByRole("button", { name: "Retry now" }).click();
  await failed.getByText("Paid", { exact: true }).first().waitFor({ timeout: 15_000 });
  assert.deepEqual(complaints, []);
  await close();
});

/** What each card of the simulated gateway leads to, as the list of top-ups shows it. */
const CARDS = {
  Pays: /Paid/,
  "Insufficient funds": /does not hold enough money/,
  Declined: /bank declined the charge/,
  Expired: /card has expired/,
  Blocked: /no longer accepts charges/,
  "Bank wants authentication": /Confirm with your bank/,
  // The test before this one has let it decline, and has retried it.
  "Declines once, then pays": /Paid|bank declined the charge/,
  Slow: /Paid/,
  "No response": /not reported yet whether the card was charged/,
  "Gateway unavailable": /not reported yet whether the card was charged/,
  "Connection lost after the charge": /Paid/,
  "Fails late": /Paid|Refunded/,
  "Disputed later": /Disputed/,
  "Refund fails": /Paid/,
};

test("each of the simulated cards is tried in the demo, and what became of it is shown with its reason", async () => {
  const { page, screen, close } = await signedIn("Owner");
  await screen("Demo controls");
  const choice = page.getByRole("combobox", { name: "Try a card" });
  await choice.waitFor();
  const labels = await choice.locator("option").allInnerTexts();
  assert.deepEqual(labels, Object.keys(CARDS));
  const newest = "{ account { topUps(first: 20) { nodes { id origin } } } }";
  const listed = async () => (await server.query(newest, {}, server.ownerToken)).account.topUps.nodes;
  // The rule of the demo's account may buy meanwhile.
  const latest = async () => (await listed()).find(({ origin }) => origin !== "AUTO").id;
  const tried = new Map();
  let batch = [];
  /** Looks what became of the last ones. */
  const check = async () => {
    await screen("Top-ups");
    const articles = page.locator(".lb-topups article");
    const shown = async (label) => {
      const at = (await listed()).findIndex(({ id }) => id === tried.get(label));
      return CARDS[label].test(await articles.nth(at).innerText());
    };
    for (const label of batch) await until(() => shown(label), `${label}: ${CARDS[label]}`, 40);
    batch = [];
    await screen("Demo controls");
  };
  const press = () => page.getByRole("button", { name: "Try a card" }).click();
  const refused = page.getByRole("alert").filter({ hasText: /tried/ });
  for (const label of labels) {
    await choice.selectOption({ label });
    const before = await latest();
    await press();
    await page.getByText("Done.").or(refused).waitFor();
    if (await refused.count()) {
      // As many as may be tried in a day.
      await check();
      await page.getByRole("button", { name: "1 day ahead" }).click();
      await page.getByRole("button", { name: "1 day ahead", disabled: false }).waitFor();
      await choice.selectOption({ label });
      await press();
      await page.getByText("Done.").waitFor();
    }
    await until(async () => (await latest()) !== before, label);
    batch.push(label);
    tried.set(label, await latest());
  }
  await check();
  // The bank returns a refund some time later: then an operator has to know.
  const refund = { topUpId: tried.get("Refund fails"), reason: "Not wanted", idempotencyKey: "refund fails" };
  await does(server, "refundTopUp", refund);
  await close();
  const operator = await signedIn("Operator");
  await until(
    async () => {
      await operator.page.evaluate(() => {
        const headers = { "content-type": "application/json" };
        return fetch("/console/clock", { method: "POST", headers, body: JSON.stringify({ hours: 1 }) });
      });
      await operator.screen("Accounts");
      await operator.screen("Payments to check");
      return operator.page.getByText("returned by the bank").count();
    },
    "the refund that came back",
    60,
  );
  await operator.close();
});

test("the help page says how the API is called, with a credential that works", async () => {
  const { page, screen, close } = await signedIn("Owner", { permissions: ["clipboard-read", "clipboard-write"] });
  await screen("Help");
  await page.getByRole("button", { name: "How do I call the API?" }).click();
  await page.getByText(`curl ${server.url}/graphql`).waitFor();
  await page.getByRole("button", { name: /Jonas Keller · Member/ }).click();
  await page.getByText(/^eyJ/).waitFor();
  await page.getByRole("button", { name: "Copy", exact: true }).last().click();
  await page.getByRole("button", { name: "Copied." }).waitFor();
  const token = await page.evaluate(() => navigator.clipboard.readText());
  const { viewer } = await server.query("{ viewer { member { name } } }", {}, token);
  assert.equal(viewer.member.name, "Jonas Keller");
  assert.deepEqual(await violationsOn(page), []);
  assert.ok(!(await kept(page)).includes("eyJ"));
  await close();
});

test("a member sees their own, and a key is made and revoked by an owner", async () => {
  const member = await signedIn("Member");
  const links = await member.page.getByRole("navigation").getByRole("link").allInnerTexts();
  for (const hidden of ["Usage", "Top-ups", "Members", "API keys", "Accounts"])
    assert.ok(!links.includes(hidden), hidden);
  await member.close();

  const { page, screen, close } = await signedIn("Owner");
  await screen("API keys");
  await page.getByLabel("Purpose").fill("A report");
  await page.getByRole("button", { name: "Create a key" }).click();
  const secret = await page.locator(".console-secret").innerText();
  const balance = () => server.query("{ account { balance { posted } } }", {}, secret);
  assert.ok((await balance()).account.balance.posted);
  page.on("dialog", (dialog) => void dialog.accept());
  await page.getByRole("button", { name: "Revoke: A report" }).click();
  await page.getByText("revoked", { exact: true }).waitFor();
  await assert.rejects(balance());
  await close();
});

test("sessions beyond a page are listed on demand, and one that is far down changes live", async () => {
  const COUNT = 130;
  const { viewer } = await server.query("{ viewer { member { id } } }", {}, server.ownerToken);
  const from = Date.now() + 365 * 86_400_000;
  const items = Array.from({ length: COUNT }, (_, at) => ({
    memberId: viewer.member.id,
    title: `Paged ${at}`,
    startsAt: new Date(from + at * 3_600_000).toISOString(),
    endsAt: new Date(from + (at + 1) * 3_600_000).toISOString(),
    credits: "0.01",
    idempotencyKey: `paged ${at}`,
  }));
  const book = "mutation ($input: BookSessionsInput!) { bookSessions(input: $input) { results { session { id } } } }";
  const ids = [];
  for (const part of [items.slice(0, 100), items.slice(100)]) {
    const { bookSessions } = await server.query(book, { input: { accountId: server.accountId, items: part } });
    ids.push(...bookSessions.results.map(({ session }) => session.id));
  }
  const { page, complaints, screen, close } = await signedIn("Owner");
  await screen("Sessions");
  const titles = () =>
    page
      .locator("main tbody td:nth-child(2)")
      .filter({ hasText: /^Paged/ })
      .allTextContents();
  const rows = page.locator("main tbody tr");
  for (const [shown, wanted] of [
    [50, 50],
    [100, 100],
    [150, COUNT],
  ]) {
    await rows.nth(shown - 1).waitFor();
    const newest = items.map(({ title }) => title).reverse();
    assert.deepEqual(await titles(), newest.slice(0, wanted));
    await page.getByRole("button", { name: "More" }).click();
  }
  const oldest = rows.filter({ has: page.getByText("Paged 0", { exact: true }) });
  await oldest.getByText("Booked", { exact: true }).waitFor();
  const cancel = "mutation ($input: CancelSessionInput!) { cancelSession(input: $input) { userErrors { message } } }";
  const input = { accountId: server.accountId, sessionId: ids[0], idempotencyKey: "cancel paged" };
  assert.deepEqual((await server.query(cancel, { input })).cancelSession.userErrors, []);
  await oldest.getByText("Canceled", { exact: true }).waitFor();
  // With a filter, what no longer matches leaves the list.
  await page.getByRole("combobox", { name: "Status" }).selectOption("BOOKED");
  await oldest.waitFor({ state: "detached" });
  assert.deepEqual(complaints, []);
  await close();
});

test("an operator finds an account, gives credits, freezes it and ends the freeze", async () => {
  // An account of its own: in the demo's, other things may happen meanwhile.
  const create = "mutation ($input: CreateAccountInput!) { createAccount(input: $input) { userErrors { message } } }";
  const owner = { externalId: "owner", name: "Olga" };
  const input = { externalId: "quiet", name: "Quiet Lagoon", creditPrice: "1", currency: "EUR", owner };
  assert.deepEqual((await server.query(create, { input })).createAccount.userErrors, []);
  const { page, complaints, screen, close } = await signedIn("Operator");
  await page.getByRole("searchbox").fill("lagoon");
  await page.getByRole("link", { name: "Quiet Lagoon" }).click();
  await page.getByRole("heading", { name: "Balance" }).waitFor();
  await screen("Account");
  const figures = page.locator(".console-figures");
  const before = Number((await figures.locator("dd").first().innerText()).replace(",", ""));
  const grant = page.getByRole("region", { name: "Grant credits" });
  await grant.getByLabel("credits", { exact: false }).first().fill("7.5");
  await grant.getByLabel("Description").fill("For the test");
  await grant.getByRole("button", { name: "Grant credits" }).click();
  await page.waitForFunction(
    (wanted) => Number(document.querySelector(".console-figures dd").textContent.replace(",", "")) === wanted,
    before + 7.5,
  );
  await page.getByLabel("Reason, as members read it").fill("For the test");
  await page.getByRole("button", { name: "Freeze" }).click();
  await page.getByText("Frozen: For the test").waitFor();
  await page.getByRole("button", { name: "End the freeze" }).click();
  await page.getByText("Frozen: For the test").waitFor({ state: "detached" });
  assert.deepEqual(await violationsOn(page), []);
  assert.deepEqual(complaints, []);
  await close();
});

test("an operator narrows the accounts, and pages through more than a hundred", async () => {
  const COUNT = 120;
  const create = `mutation ($input: CreateAccountInput!) { createAccount(input: $input) { account { id } userErrors { message } } }`;
  const owner = (at) => ({ externalId: `owner ${at}`, name: "Olga" });
  const ids = [];
  for (let at = 0; at < COUNT; at += 1) {
    const input = {
      externalId: `list-${at}`,
      name: `Listed ${at}`,
      creditPrice: "1",
      currency: "EUR",
      owner: owner(at),
    };
    const { createAccount } = await server.query(create, { input });
    assert.deepEqual(createAccount.userErrors, []);
    ids.push(createAccount.account.id);
  }
  const does = async (name, type, input) => {
    const { [name]: payload } = await server.query(
      `mutation ($input: ${type}!) { ${name}(input: $input) { userErrors { message } } }`,
      { input },
    );
    assert.deepEqual(payload.userErrors, []);
  };
  const [rich, poor] = ids;
  const grant = { credits: "500", description: "For the test", idempotencyKey: "grant" };
  await does("grantCredits", "GrantCreditsInput", { accountId: rich, ...grant });
  const adjust = { amount: "-7", description: "For the test", idempotencyKey: "adjust" };
  await does("adjustCredits", "AdjustCreditsInput", { accountId: poor, ...adjust });
  await does("freezeAccount", "FreezeAccountInput", { accountId: ids[2], reason: "For the test" });

  const { page, complaints, screen, close } = await signedIn("Operator");
  const names = () => page.locator("main tbody td:first-child").allTextContents();
  const lists = async (wanted, what) => {
    await until(async () => JSON.stringify(await names()) === JSON.stringify(wanted), what);
  };
  await page.getByRole("searchbox").fill("listed");
  await until(async () => (await names())[0] === "Listed 0", "those that were searched");
  for (const shown of [50, 100]) {
    await until(async () => (await names()).length === shown, `${shown} accounts`);
    await page.getByRole("button", { name: "More" }).click();
  }
  await lists(
    ids.map((_, at) => `Listed ${at}`),
    "all of them, oldest first",
  );
  await page.getByLabel("Available below").fill("0");
  await lists(["Listed 1"], "in debt");
  await page.getByLabel("Available below").fill("");
  await page.getByRole("combobox", { name: "Status" }).selectOption("FROZEN");
  await lists(["Listed 2"], "frozen");
  await page.getByRole("combobox", { name: "Status" }).selectOption("");
  await page.getByRole("combobox", { name: "Order" }).selectOption("LOWEST_AVAILABLE_FIRST");
  await until(async () => (await names())[0] === "Listed 1", "the poorest first");
  await page.getByRole("searchbox").fill("");
  await page.getByRole("combobox", { name: "Order" }).selectOption("OLDEST_FIRST");
  await page.getByLabel("With a finding").check();
  await page.getByRole("link", { name: "Brightwater Studio" }).waitFor();
  await page.getByLabel("Auto top-up paused").check();
  await until(async () => !(await names()).includes("Listed 0"), "only paused rules");
  assert.deepEqual(await violationsOn(page), []);

  // All of it is in the address: for a reload, the back button, and when an account is opened and left again.
  await page.getByLabel("Auto top-up paused").uncheck();
  await page.getByLabel("With a finding").uncheck();
  await page.getByRole("searchbox").fill("listed");
  await until(() => /accounts-q=listed/.test(page.url()), "the search is in the address");
  await page.getByLabel("Available below").fill("0");
  await until(() => /accounts-below=0/.test(page.url()), "and the amount");
  await lists(["Listed 1"], "in debt");
  await page.reload();
  await lists(["Listed 1"], "as before the reload");
  assert.equal(await page.getByRole("searchbox").inputValue(), "listed");
  await page.getByRole("combobox", { name: "Status" }).selectOption("FROZEN");
  await page.getByText("Nothing here.").waitFor();
  await page.goBack();
  await lists(["Listed 1"], "one step back");
  await page.goForward();
  await page.getByText("Nothing here.").waitFor();
  await page.goBack();
  await page.getByRole("link", { name: "Listed 1", exact: true }).click();
  await screen("Credit log");
  await page.getByRole("button", { name: "Filters" }).click();
  await page.getByLabel("Direction").selectOption("ADDED");
  await until(() => /log-dir=ADDED/.test(page.url()), "the log's filter");
  await screen("Accounts");
  await lists(["Listed 1"], "still narrowed");
  assert.doesNotMatch(page.url(), /log-/, "what was chosen for one account is not for another");
  await page.goBack();
  await page.getByRole("button", { name: "Remove filter: Added" }).waitFor();

  await screen("Payments to check");
  await page.getByRole("heading", { name: "Webhooks that could not be processed" }).waitFor();
  assert.deepEqual(await violationsOn(page), []);
  assert.deepEqual(complaints, []);
  await close();
});

test("the clock of the demo moves ahead, and what is due happens", async () => {
  const { page, complaints, screen, close } = await signedIn("Owner");
  await screen("Demo controls");
  const time = page.getByRole("region", { name: "Move the clock" }).locator("time");
  const shown = async () => Date.parse(await time.getAttribute("datetime"));
  const before = await shown();
  await page.getByRole("button", { name: "1 week ahead" }).click();
  await until(async () => (await shown()) >= before + 7 * 86_400_000, "a week later");
  // Sessions are booked by the new time.
  await page.getByRole("button", { name: "Book and complete a session" }).click();
  await page.getByText("Done.").waitFor();
  const read = "{ account { creditLog(first: 1) { nodes { occurredAt } } } }";
  await until(async () => {
    const { account } = await server.query(read.replace("account", `account(id: "${server.accountId}")`));
    return Date.parse(account.creditLog.nodes[0].occurredAt) >= before + 7 * 86_400_000;
  }, "an entry of the new time");
  // The token of before is over by then. The page requests another one.
  assert.deepEqual(
    complaints.filter((text) => !text.includes("status of 401")),
    [],
  );
  await close();
});

test("theme and language are remembered, and a phone has all of it without sideways scrolling", async () => {
  const { page, screen, close } = await signedIn("Owner", { viewport: { width: 375, height: 700 } });
  await page.getByRole("combobox", { name: "Language" }).selectOption("de");
  await page.getByRole("combobox", { name: "Darstellung" }).selectOption("dark");
  await page.reload();
  await page.getByRole("heading", { name: "Guthaben", exact: true }).waitFor();
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(await background(), "rgb(15, 17, 21)", "it is dark");
  assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
  for (const name of ["Übersicht", "Termine", "Aufladungen", "API-Schlüssel", "Hilfe"]) {
    await screen(name);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${name} is ${overflow} px too wide`);
    assert.deepEqual(await violationsOn(page), [], name);
  }
  await close();
});
