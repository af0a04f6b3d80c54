// Receives webhooks of Ledgerbell and posts alerts to a channel of Slack or Discord.
//
// node relay.js, with these environment variables:
//   WEBHOOK_SECRET   the secret of the endpoint, whsec_…
//   LEDGERBELL_URL   the address of the API, such as https://credits.example.com/graphql
//   LEDGERBELL_KEY   an API key with READ_CREDIT_LOG
//   CHANNEL_URL      an incoming webhook of Slack (https://hooks.slack.com/…) or of Discord (https://discord.com/api/webhooks/…)
//   PORT             where it listens; 8081 when not set
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const ALERT = "query ($id: ID!) { node(id: $id) { ... on Alert { title body } } }";

/** What each service calls a text. Discord takes at most 2,000 characters. Slack reads &, < and > as the beginning of its own marks. */
const FORMS = {
  slack: (text) => ({ text: text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;") }),
  discord: (text) => ({ content: text.slice(0, 2000), allowed_mentions: { parse: [] } }),
};

/** `Webhook` is that of npm standardwebhooks. */
export function relay({ Webhook, secret, api, key, channel, service }) {
  const webhook = new Webhook(secret);
  const sent = new Set();

  async function forward({ type, data }, id) {
    if (type !== "alert.raised" || sent.has(id)) return;
    const response = await fetch(api, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify({ query: ALERT, variables: { id: data.alertId } }),
    });
    const answer = await response.json();
    if (!response.ok || answer.errors || !answer.data) throw new Error(`the API answered ${response.status}`);
    const alert = answer.data.node;
    if (!alert) return;
    const message = FORMS[service](`${alert.title}\n${alert.body}`);
    const posted = await fetch(channel, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(message),
    });
    // The message comes again later, because this one is answered as a failure.
    if (!posted.ok) throw new Error(`the channel answered ${posted.status}`);
    sent.add(id);
  }

  return createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    let message;
    try {
      message = webhook.verify(Buffer.concat(chunks).toString(), request.headers);
    } catch {
      return response.writeHead(400).end();
    }
    try {
      await forward(message, request.headers["webhook-id"]);
      response.writeHead(204).end();
    } catch (error) {
      console.error(error.message);
      response.writeHead(503).end();
    }
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { Webhook } = await import("standardwebhooks");
  const { WEBHOOK_SECRET: secret, LEDGERBELL_URL: api, LEDGERBELL_KEY: key, CHANNEL_URL: channel, PORT: port = "8081" } = process.env;
  const service = new URL(channel).hostname.endsWith("slack.com") ? "slack" : "discord";
  relay({ Webhook, secret, api, key, channel, service }).listen(Number(port));
}
