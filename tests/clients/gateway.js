// The simulated payment gateway as a separate server, and the settings of a Ledgerbell server that charges it as Stripe.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const EXECUTABLE = fileURLToPath(new URL("../../target/debug/ledgerbell", import.meta.url));

export class Gateway {
  #directory = mkdtempSync(join(tmpdir(), "ledgerbell-gateway."));
  #process;

  /** Starts it. It sends its webhooks to this address. */
  async start(webhooks) {
    const flags = ["gateway", "--json", "--api", "127.0.0.1:0", "--webhooks", webhooks, "--data-dir", this.#directory, "--log-level", "error"];
    const env = { ...process.env, LEDGERBELL_MODE: "development" };
    this.#process = spawn(EXECUTABLE, flags, { env, stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
    const { value, done } = await lines.next();
    if (done) throw new Error("the gateway ended before it was ready");
    // url, secretKey, publishableKey, webhookSecret
    return Object.assign(this, JSON.parse(value));
  }

  /** The settings of a server that charges cards here, by this address or that of a network before it. */
  settings(url = this.url) {
    return {
      LEDGERBELL_GATEWAY_KIND: "stripe",
      LEDGERBELL_GATEWAY_STRIPE_URL: url,
      LEDGERBELL_GATEWAY_STRIPE_SECRET_KEY: this.secretKey,
      LEDGERBELL_GATEWAY_STRIPE_PUBLISHABLE_KEY: this.publishableKey,
      LEDGERBELL_GATEWAY_STRIPE_WEBHOOK_SECRET: this.webhookSecret,
      LEDGERBELL_GATEWAY_RETURN_URL: "http://127.0.0.1/",
    };
  }

  /** Calls it directly, as an operator does in the gateway's own pages: reads an object, or with a form changes it. */
  async call(path, form) {
    const response = await fetch(new URL(path, this.url), {
      method: form ? "POST" : "GET",
      headers: { authorization: `Bearer ${this.secretKey}` },
      ...(form && { body: new URLSearchParams(form) }),
    });
    const object = await response.json();
    if (!response.ok) throw new Error(JSON.stringify(object));
    return object;
  }

  remove() {
    this.#process?.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Passes webhooks on to a server that is started after the gateway. */
export class Webhooks {
  /** Where they go. */
  to = "";
  /** The kinds of those that the server has stored, and the objects that they are about. */
  delivered = [];
  #listener;

  async start() {
    this.#listener = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      const headers = { "stripe-signature": request.headers["stripe-signature"], "content-type": "application/json" };
      const { status } = await fetch(this.to, { method: "POST", headers, body }).catch(() => ({ status: 503 }));
      const { type, data } = JSON.parse(body);
      if (status === 200) this.delivered.push(`${type} ${data.object.id}`);
      response.writeHead(status).end();
    });
    await new Promise((resolve) => this.#listener.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.#listener.address().port}/`;
    return this;
  }

  close() {
    this.#listener.closeAllConnections();
    this.#listener.close();
  }
}
