// The simulated payment gateway in Stripe's dialect, driven by Stripe's own SDK (npm stripe): what the SDK sends is understood, what it
// reads makes sense to it, and it believes the webhooks.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import Stripe from "stripe";

import { Gateway } from "./gateway.js";

// Whoever receives webhooks: each is handed to whoever waits for its kind.
const events = [];
let wake = () => {};
let refuses = true;
const receiver = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    // The first one is refused once, and has to come again.
    if (refuses) {
      refuses = false;
      response.writeHead(500).end();
      return;
    }
    events.push({ body: Buffer.concat(chunks), signature: request.headers["stripe-signature"] });
    response.end();
    wake();
  });
});
await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));

const gateway = await new Gateway().start(`http://127.0.0.1:${receiver.address().port}/`);
const { url, secretKey, webhookSecret } = gateway;

const { hostname, port } = new URL(url);
const options = { host: hostname, port, protocol: "http", telemetry: false, timeout: 10_000 };
const stripe = new Stripe(secretKey, { ...options, maxNetworkRetries: 0 });

/** The webhook of this kind about this object, as the SDK verifies it. */
async function heard(kind, id) {
  for (;;) {
    for (const { body, signature } of events) {
      const event = stripe.webhooks.constructEvent(body, signature, webhookSecret);
      const { object } = event.data;
      if (event.type === kind && (object.id === id || object.payment_intent === id)) return event;
    }
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no ${kind} about ${id} within 20 s`)), 20_000);
      wake = () => resolve(clearTimeout(late));
    });
  }
}

async function fails(promise, expected) {
  const error = await promise.then(() => assert.fail("was not refused"), (error) => error);
  for (const [field, value] of Object.entries(expected)) assert.equal(error[field], value, `${field} of ${error.message}`);
  return error;
}

const checks = {
  async "a card is set up, attached and charged off session"() {
    const customer = await stripe.customers.create({ email: "ada@team.example", metadata: { team: "7" } });
    assert.equal((await stripe.customers.retrieve(customer.id)).metadata.team, "7");
    const setup = await stripe.setupIntents.create({ customer: customer.id, payment_method_types: ["card"], usage: "off_session" });
    const done = await stripe.setupIntents.confirm(setup.id, { payment_method: "pm_card_visa" });
    assert.equal(done.status, "succeeded");
    const [card] = (await stripe.customers.listPaymentMethods(customer.id, { type: "card" })).data;
    assert.equal(card.id, done.payment_method);
    assert.equal(card.card.last4, "4242");
    const made = await stripe.paymentMethods.create({ type: "card", card: { token: "tok_mastercard" } });
    const attached = await stripe.paymentMethods.attach(made.id, { customer: customer.id });
    assert.deepEqual([attached.customer, attached.card.brand], [customer.id, "mastercard"]);
    const intent = await stripe.paymentIntents.create({
      amount: 1_250, currency: "eur", customer: customer.id, payment_method: card.id, confirm: true, off_session: true,
      metadata: { order: "42" }, expand: ["latest_charge", "customer"],
    });
    assert.equal(intent.status, "succeeded");
    assert.deepEqual([intent.latest_charge.amount, intent.customer.email], [1_250, "ada@team.example"]);
    const event = await heard("payment_intent.succeeded", intent.id);
    assert.equal(event.data.object.metadata.order, "42");
    assert.equal((await stripe.paymentMethods.detach(made.id)).customer, null);
  },

  async "an intent is made, confirmed and canceled in steps"() {
    const intent = await stripe.paymentIntents.create({ amount: 900, currency: "usd", automatic_payment_methods: { enabled: true, allow_redirects: "never" } });
    assert.equal(intent.status, "requires_payment_method");
    const paid = await stripe.paymentIntents.confirm(intent.id, { payment_method: "pm_card_visa" });
    assert.equal(paid.status, "succeeded");
    const state = { type: "StripeInvalidRequestError", code: "payment_intent_unexpected_state", statusCode: 400 };
    await fails(stripe.paymentIntents.cancel(intent.id), state);
    const other = await stripe.paymentIntents.create({ amount: 900, currency: "usd", payment_method: "pm_card_visa" });
    assert.equal((await stripe.paymentIntents.cancel(other.id)).status, "canceled");
    await fails(stripe.paymentIntents.confirm(other.id), state);
    await heard("payment_intent.canceled", other.id);
  },

  async "declines are card errors"() {
    for (const [payment_method, code, decline_code] of [
      ["pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"],
      ["pm_card_chargeDeclined", "card_declined", "generic_decline"],
      ["pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"],
      ["pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"],
    ]) {
      const create = stripe.paymentIntents.create({ amount: 500, currency: "eur", payment_method, confirm: true });
      const error = await fails(create, { type: "StripeCardError", code, decline_code, statusCode: 402 });
      assert.equal(error.payment_intent.status, "requires_payment_method");
      const charge = await stripe.charges.retrieve(error.payment_intent.latest_charge);
      assert.equal(charge.status, "failed");
    }
  },

  async "a bank that wants its customer: off session, then on its page"() {
    const make = { amount: 500, currency: "eur", payment_method: "pm_card_authenticationRequired", confirm: true };
    const error = await fails(stripe.paymentIntents.create({ ...make, off_session: true }), { code: "authentication_required" });
    const intent = await stripe.paymentIntents.confirm(error.payment_intent.id, {
      payment_method: "pm_card_authenticationRequired", return_url: "https://app.example/back",
    });
    assert.equal(intent.status, "requires_action");
    const page = await fetch(`${intent.next_action.redirect_to_url.url}?confirm=true`, { method: "POST" });
    assert.equal(page.status, 200);
    assert.equal((await stripe.paymentIntents.retrieve(intent.id)).status, "succeeded");
  },

  async "a key brings the same object, and is bound to its parameters"() {
    const params = { amount: 700, currency: "eur", payment_method: "pm_card_visa", confirm: true };
    const first = await stripe.paymentIntents.create(params, { idempotencyKey: "order-1" });
    const again = await stripe.paymentIntents.create(params, { idempotencyKey: "order-1" });
    assert.equal(again.id, first.id);
    assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");
    const other = stripe.paymentIntents.create({ ...params, amount: 800 }, { idempotencyKey: "order-1" });
    await fails(other, { type: "StripeIdempotencyError", statusCode: 400 });
  },

  async "a connection that dies after the charge: the SDK tries again, and nobody is charged twice"() {
    const retrying = new Stripe(secretKey, { ...options, maxNetworkRetries: 2 });
    const intent = await stripe.paymentIntents.create({ amount: 600, currency: "eur", metadata: { dies: "1" } });
    const paid = await retrying.paymentIntents.confirm(intent.id, { payment_method: "card_dies_after_charge" });
    assert.equal(paid.status, "succeeded");
  },

  async "refunds: in parts, too much, and one that fails later is told"() {
    const intent = await stripe.paymentIntents.create({ amount: 1_000, currency: "eur", payment_method: "pm_card_visa", confirm: true });
    const refund = await stripe.refunds.create({ payment_intent: intent.id, amount: 400 });
    assert.equal(refund.status, "succeeded");
    await fails(stripe.refunds.create({ payment_intent: intent.id, amount: 601 }), { type: "StripeInvalidRequestError", param: "amount" });
    await stripe.refunds.create({ charge: intent.latest_charge });
    await fails(stripe.refunds.create({ payment_intent: intent.id }), { code: "charge_already_refunded" });
    const charge = await stripe.charges.retrieve(intent.latest_charge, { expand: ["refunds"] });
    assert.deepEqual([charge.amount_refunded, charge.refunded, charge.refunds.data.length], [1_000, true, 2]);
    assert.equal((await stripe.refunds.list({ payment_intent: intent.id })).data.length, 2);
    assert.equal((await stripe.refunds.retrieve(refund.id)).amount, 400);
    await heard("charge.refunded", intent.id);
  },

  async "a dispute comes by itself"() {
    const intent = await stripe.paymentIntents.create({ amount: 1_000, currency: "eur", payment_method: "pm_card_createDispute", confirm: true });
    const event = await heard("charge.dispute.created", intent.id);
    assert.equal(event.data.object.amount, 1_000);
    const charge = await stripe.charges.retrieve(intent.latest_charge, { expand: ["dispute"] });
    assert.equal(charge.dispute.status, "needs_response");
  },

  async "lists are walked to their end"() {
    const customer = await stripe.customers.create({});
    const made = [];
    for (let at = 0; at < 23; at += 1) {
      made.push((await stripe.paymentIntents.create({ amount: 100 + at, currency: "eur", customer: customer.id })).id);
    }
    const seen = [];
    for await (const { id } of stripe.paymentIntents.list({ customer: customer.id, created: { gte: 1 }, limit: 10 })) seen.push(id);
    assert.deepEqual(seen, made.reverse());
  },

  async "what is wrong is said by its name"() {
    await fails(stripe.paymentIntents.create({ amount: 100, currency: "eur", colour: "red" }), { code: "parameter_unknown", param: "colour" });
    await fails(stripe.paymentIntents.retrieve("pi_nobody"), { code: "resource_missing", statusCode: 404 });
    await fails(new Stripe("sk_live_x", options).customers.create({}), { type: "StripeAuthenticationError" });
  },

  async "webhooks are verified, and a forged one is not"() {
    const [{ body, signature }] = events;
    assert.throws(() => stripe.webhooks.constructEvent(`${body} `, signature, webhookSecret), /signature/);
    assert.throws(() => stripe.webhooks.constructEvent(body, signature, "whsec_other"), /signature/);
    assert.equal(refuses, false, "one was refused, and came again");
  },
};

try {
  for (const [name, check] of Object.entries(checks)) {
    await check();
    console.log(`ok: ${name}`);
  }
  console.log(`npm stripe ${Stripe.PACKAGE_VERSION} drives the simulated gateway: ${Object.keys(checks).length} checks, ${events.length} webhooks`);
} finally {
  gateway.remove();
  receiver.closeAllConnections();
  receiver.close();
}
