// Tests the screen of payments that need an operator, with payments that went wrong at a payment gateway: the demo charges the
// simulated one as Stripe, over a network that this test cuts.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Gateway, Webhooks } from "../../../tests/clients/gateway.js";
import { Server } from "../../../tests/clients/server.js";
import { openPage, startBrowser, violations } from "../../browser.js";
import { Network } from "../../client/test/network.js";
import { until } from "../../client/test/waiting.js";
import { buy, does } from "../../react/test/deeds.js";

let webhooks;
let gateway;
let network;
let server;
let browser;

before(async () => {
  webhooks = await new Webhooks().start();
  gateway = await new Gateway().start(webhooks.url);
  network = await new Network().to(gateway);
  const address = new URL(network.endpoint).origin;
  [server, browser] = await Promise.all([new Server(gateway.settings(address)).start(), startBrowser()]);
  webhooks.to = `${server.url}/webhooks/stripe`;
});

after(async () => {
  await browser?.close();
  await server?.remove();
  network?.close();
  gateway?.remove();
  webhooks?.close();
});

const FIELDS = "id status failure { actionUrl } attempts { outcome gatewayReference }";
const TOP_UP = `query ($id: ID!) { node(id: $id) { ... on TopUp { ${FIELDS} } } }`;

/** Reads a top-up as the platform sees it. */
const read = async (id) => (await server.query(TOP_UP, { id })).node;

/** Buys credits by a card with this behavior, and waits until the top-up is so. */
async function bought(credits, token, isSo) {
  const { paymentMethod } = await does(
    server,
    "addPaymentMethod",
    { gatewayToken: token },
    "paymentMethod { id }",
    server.ownerToken,
  );
  const id = await buy(server, credits, paymentMethod.id);
  let topUp;
  await until(async () => isSo((topUp = await read(id))), `${token} is so`);
  return topUp;
}

test("payments that nobody could finish are listed for operators, who settle, process and refund them in the page", async () => {
  const { page, complaints, close } = await openPage(browser);
  await page.goto(server.url);
  await page.getByRole("button", { name: /Operator/ }).click();
  const open = (name) => page.getByRole("navigation").getByRole("link", { name, exact: true }).click();
  const region = (name) => page.getByRole("region", { name });
  await page.getByRole("searchbox").waitFor();

  const paid = await bought("20", "card_ok", ({ status }) => status === "SUCCEEDED");
  const waiting = await bought("21", "card_authenticate", ({ status }) => status === "REQUIRES_ACTION");
  network.offAfter(/^POST \S+\/confirm /);
  const unknown = await bought("22", "card_slow", ({ attempts }) => attempts[0]?.outcome === "UNKNOWN");
  // The customer confirms at the bank. The server stores the webhook, and cannot read what it is about.
  const object = waiting.attempts[0].gatewayReference;
  await fetch(`${waiting.failure.actionUrl}?confirm=true`, { method: "POST" });
  await until(() => webhooks.delivered.includes(`payment_intent.succeeded ${object}`), "the webhook is stored");
  // 14 credits are to be refunded, and meanwhile most of the money is refunded at the gateway itself.
  const refund = { topUpId: paid.id, credits: "14", reason: "Goodwill", idempotencyKey: "goodwill" };
  await does(server, "refundTopUp", refund);
  const intent = paid.attempts[0].gatewayReference;
  await gateway.call("/v1/refunds", { payment_intent: intent, amount: "1500" });
  // Once the clock has moved, signatures are too old.
  await until(() => webhooks.delivered.some((webhook) => webhook.startsWith("charge.refunded ")), "this one, too");

  const moveClock = async () => {
    const headers = { "content-type": "application/json" };
    const request = { method: "POST", headers, body: JSON.stringify({ hours: 1 }) };
    assert.ok(await page.evaluate((request) => fetch("/console/clock", request).then(({ ok }) => ok), request));
  };
  // Ten tries, and a day in which it is not known whether the card was charged.
  const lists = "{ parkedWebhooks { nodes { eventId objectId } } unsettledTopUps { nodes { topUp { id } } } }";
  let parked = [];
  for (let hours = 0; ; hours += 1) {
    const { parkedWebhooks, unsettledTopUps } = await server.query(lists);
    parked = parkedWebhooks.nodes;
    if (parked.some(({ objectId }) => objectId === object) && unsettledTopUps.nodes.length) break;
    assert.ok(hours < 120, `${JSON.stringify(parkedWebhooks)} ${JSON.stringify(unsettledTopUps)}`);
    await moveClock();
    // The workers of the server have to find what is due.
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await open("Payments to check");
  const settling = region("Top-ups to settle by hand");
  const item = settling.getByRole("listitem").filter({ hasText: unknown.id });
  const chargedButton = item.getByRole("button", { name: "It was charged" });
  await chargedButton.waitFor();
  assert.equal(await chargedButton.isDisabled(), true, "not without a reason");
  assert.deepEqual(await violations(page, "html", []), []);
  await item.getByLabel("How you know").fill("Seen in the dashboard");
  await chargedButton.click();
  await item.waitFor({ state: "detached" });
  assert.equal((await read(unknown.id)).status, "SUCCEEDED");

  assert.equal((await read(waiting.id)).status, "REQUIRES_ACTION");
  network.mode = "open";
  const webhookList = region("Webhooks that could not be processed");
  const buttons = webhookList.getByRole("button", { name: /^Process again: / });
  const shown = async (list) => {
    await open("Accounts");
    await open("Payments to check");
    await list.locator("li, .lb-empty").first().waitFor();
  };
  // Others were given up after the list was read.
  for (await buttons.first().waitFor(); await buttons.count(); await shown(webhookList)) {
    const name = await buttons.first().getAttribute("aria-label");
    await buttons.first().click();
    await webhookList.getByRole("button", { name, exact: true }).waitFor({ state: "detached" });
  }
  await until(async () => (await read(waiting.id)).status === "SUCCEEDED", "it is paid");

  const refunds = region("Refunds that failed");
  const later = async () => {
    await moveClock();
    await shown(refunds);
  };
  const failed = refunds.getByRole("listitem").filter({ hasText: "Goodwill" });
  await until(async () => (await later(), await failed.count()), "the refund was refused", 60);
  await failed.getByText("€16.80").waitFor();
  await failed.getByText("refused by the payment gateway").waitFor();
  assert.equal(await failed.getByLabel(/^Credits/).inputValue(), "14");
  assert.deepEqual(await violations(page, "html", []), []);
  // It is worth more than what is left, so what is left is refunded.
  await failed.getByLabel(/^Credits/).fill("");
  await failed.getByRole("button", { name: "Refund again" }).click();
  const refunded = async () => {
    const { latest_charge: charge } = await gateway.call(`/v1/payment_intents/${intent}?expand[]=latest_charge`);
    return charge.amount_refunded;
  };
  await until(async () => (await later(), (await refunded()) === 2400), "the rest is refunded", 60);
  await until(async () => (await later(), (await failed.count()) === 0), "it is no longer listed", 60);
  // The page asks for another token once its own is over.
  assert.deepEqual(
    complaints.filter((text) => !text.includes("status of 401")),
    [],
  );
  await close();
});
