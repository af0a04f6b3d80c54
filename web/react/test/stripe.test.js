// Tests cards by Stripe's form, in Chromium: a stand-in for Stripe.js (stripe.js), a server that charges Stripe, and the simulated
// gateway that answers as Stripe does.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { Gateway, Webhooks } from "../../../tests/clients/gateway.js";
import { Server } from "../../../tests/clients/server.js";
import { openPage, startBrowser, violations } from "../../browser.js";
import { another } from "./deeds.js";
import { servePage } from "./pageServer.js";
import { addStripe } from "./stripe.js";

const DECLINED = "4000 0000 0000 0002";
const GOOD = "4242 4242 4242 4242";
const AUTHENTICATED = "4000 0025 0000 3155";

let webhooks, gateway, server, browser, pages;
let page, complaints, token, close;

before(async () => {
  webhooks = await new Webhooks().start();
  gateway = await new Gateway().start(webhooks.url);
  [server, browser, pages] = await Promise.all([new Server(gateway.settings()).start(), startBrowser(), servePage()]);
  webhooks.to = `${server.url}/webhooks/stripe`;
});

after(async () => {
  await browser?.close();
  pages?.close();
  await server?.remove();
  gateway?.remove();
  webhooks?.close();
});

let accounts = 0;
beforeEach(async () => {
  await close?.();
  ({ token } = await another(server, `stripe ${(accounts += 1)}`));
  ({ page, complaints, close } = await openPage(browser));
  await addStripe(page, gateway);
});

const open = async (show) => {
  const address = new URL(pages.origin);
  for (const [name, value] of Object.entries({ show, url: server.endpoint, token }))
    address.searchParams.set(name, value);
  await page.goto(address.href);
};
const button = (name) => page.getByRole("button", { name, exact: true });
const cards = async () => {
  const { account } = await server.query("{ account { paymentMethods { brand last4 status } } }", {}, token);
  return account.paymentMethods.map(({ brand, last4, status }) => `${brand} ${last4} ${status}`);
};

/** Opens Stripe's form and enters a number. */
async function enter(number) {
  await button("Add card").click();
  await page.getByLabel("Card number").fill(number);
  await button("Save card").click();
}

test("a card is added by Stripe's form, after one that was incomplete and one that was declined", async () => {
  await open("PaymentMethods");
  await enter("4242");
  const refused = page.getByRole("alert");
  await refused.getByText("Your card number is incomplete.").waitFor();
  await page.getByLabel("Card number").fill(DECLINED);
  await button("Save card").click();
  await refused.getByText("Your card was declined.").waitFor();
  assert.deepEqual(await cards(), [], "nothing was added");
  assert.deepEqual(await violations(page, "main", ["region"]), []);
  await page.getByLabel("Card number").fill(GOOD);
  await button("Save card").click();
  await page.getByText("Visa •••• 4242").waitFor();
  await page.getByLabel("Card number").waitFor({ state: "detached" });
  assert.equal(await refused.count(), 0);
  assert.deepEqual(await cards(), ["visa 4242 ACTIVE"]);
  // The form can be opened again for another card, in the language of the page.
  await button("Add card").click();
  await page.getByLabel("Card number").waitFor();
  assert.deepEqual(await page.evaluate(() => window.stripeCalls), [{ locale: "en" }, { locale: "en" }]);
  assert.deepEqual(complaints, []);
});

test("credits are bought by a new card in one go", async () => {
  await open("BuyCredits,Balance");
  await page.getByRole("textbox", { name: "Credits" }).fill("31");
  await enter(GOOD);
  await button("Buy 31 credits for €31.00").click();
  await page.locator(".lb-tag").getByText("Paid", { exact: true }).waitFor();
  await page.locator(".lb-available dd").getByText("31", { exact: true }).waitFor();
});

test("the bank is asked when a card is added, and again when it is charged", async () => {
  await open("BuyCredits,TopUps");
  await page.getByRole("textbox", { name: "Credits" }).fill("32");
  await enter(AUTHENTICATED);
  const bank = page.getByRole("dialog", { name: "3D Secure" });
  await bank.getByRole("button", { name: "Fail" }).click();
  await page.getByRole("alert").getByText("We are unable to authenticate your payment method.").waitFor();
  assert.deepEqual(await cards(), []);
  await button("Save card").click();
  await bank.getByRole("button", { name: "Complete" }).click();
  await button("Buy 32 credits for €32.00").click();
  const opening = page.context().waitForEvent("page");
  const topUp = page.locator(".lb-topups").getByRole("article", { name: "32 credits" });
  await topUp.getByRole("link", { name: "Confirm with your bank" }).click();
  await (await opening).getByRole("button", { name: "Confirm the payment" }).click();
  // The gateway's webhook ends it.
  await topUp.locator(".lb-tag").getByText("Paid", { exact: true }).waitFor();
  assert.deepEqual(complaints, []);
});
