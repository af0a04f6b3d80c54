// Outgoing webhooks, verified by the libraries of the specification (npm standardwebhooks here, PyPI standardwebhooks in webhooks.py), and
// the relay of examples/webhooks in front of stand-ins of Slack and Discord.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

import { relay } from "../../examples/webhooks/relay.js";
import { Server } from "./server.js";

const PATIENCE = 20_000;

/** A server that keeps what it gets. `answer` decides the status. */
async function receiver(answer = () => 204) {
  const received = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const one = { headers: request.headers, body: Buffer.concat(chunks).toString() };
      const status = answer(one);
      if (status < 300) received.push(one);
      response.writeHead(status).end();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { received, url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

async function until(holds, what) {
  for (const begun = Date.now(); !holds(); await new Promise((resolve) => setTimeout(resolve, 20))) {
    assert.ok(Date.now() - begun < PATIENCE, `not within ${PATIENCE / 1000} s: ${what}`);
  }
}

const ledgerbell = await new Server({ LEDGERBELL_WEBHOOK_ENDPOINTS_ALLOWED_NETWORKS: "127.0.0.0/8" }).start();
const { accountId, ownerToken, apiKey, endpoint: api } = ledgerbell;

async function mutate(name, selection, input, credential = ownerToken) {
  const type = `${name[0].toUpperCase()}${name.slice(1)}Input`;
  const query = `mutation ($input: ${type}!) { ${name}(input: $input) { ${selection} userErrors { code message } } }`;
  const payload = (await ledgerbell.query(query, { input }, credential))[name];
  assert.deepEqual(payload.userErrors, [], name);
  return payload;
}

const create = (url, eventTypes) => mutate("createWebhookEndpoint", "webhookEndpoint { id } secret", { url, eventTypes });

const checks = {
  async "messages verify, and with both secrets after a rotation"() {
    const { received, url, close } = await receiver();
    const { webhookEndpoint, secret } = await create(url, ["CREDIT_ENTRY_POSTED"]);
    await ledgerbell.post(3, { run: "verified" });
    await until(() => received.length === 3, "three messages");
    for (const { headers, body } of received) {
      const message = new Webhook(secret).verify(body, headers);
      assert.equal(message.type, "credit_entry.posted");
      assert.equal(message.data.accountId, accountId);
      assert.throws(() => new Webhook(secret).verify(body.replace("posted", "pasted"), headers), /No matching signature/);
    }
    const rotated = await mutate("rotateWebhookEndpointSecret", "secret", { webhookEndpointId: webhookEndpoint.id });
    await mutate("sendTestWebhook", "webhookMessage { id }", { webhookEndpointId: webhookEndpoint.id });
    await until(() => received.length === 4, "the test");
    const test = received[3];
    for (const known of [secret, rotated.secret]) assert.equal(new Webhook(known).verify(test.body, test.headers).type, "webhook.test");
    if (process.env.WEBHOOKS_FILE) {
      const messages = received.map((one) => ({ ...one, secrets: one === test ? [secret, rotated.secret] : [secret] }));
      writeFileSync(process.env.WEBHOOKS_FILE, JSON.stringify(messages));
    }
    await mutate("deleteWebhookEndpoint", "webhookEndpoint { id }", { webhookEndpointId: webhookEndpoint.id });
    close();
  },
};

// What the services answer to a text, to another form, and to one that is too long.
const SERVICES = {
  slack: ({ text }) => (typeof text === "string" && text ? 200 : 400),
  discord: ({ content }) => (typeof content === "string" && content && content.length <= 2000 ? 204 : 400),
};

for (const [service, answer] of Object.entries(SERVICES)) {
  checks[`an alert reaches ${service} once, also after a failure`] = async () => {
    let refuses = true;
    const channel = await receiver(({ body }) => {
      const status = refuses ? 500 : answer(JSON.parse(body));
      refuses = false;
      return status;
    });
    let server;
    const front = createServer((...args) => server.emit("request", ...args));
    await new Promise((resolve) => front.listen(0, "127.0.0.1", resolve));
    const made = await create(`http://127.0.0.1:${front.address().port}/`, ["ALERT_RAISED"]);
    server = relay({ Webhook, secret: made.secret, api, key: apiKey, channel: channel.url, service });
    const sent = await mutate("sendTestNotification", "alert { title }", { channel: "IN_APP" });
    await until(() => channel.received.length === 1, "the alert");
    const [{ body }] = channel.received;
    const { text, content } = JSON.parse(body);
    assert.ok((text ?? content).startsWith(sent.alert.title), body);
    await mutate("deleteWebhookEndpoint", "webhookEndpoint { id }", { webhookEndpointId: made.webhookEndpoint.id });
    assert.equal(channel.received.length, 1, "once");
    channel.close();
    front.close();
    front.closeAllConnections();
  };
}

let failed = false;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok    ${name}`);
  } catch (error) {
    failed = true;
    console.log(`FAIL  ${name}\n${error.stack}`);
  }
}
await ledgerbell.remove();
process.exit(failed ? 1 : 0);
