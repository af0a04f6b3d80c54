// A demo server that a test starts, kills and starts again on the same port and database, and calls.
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const EXECUTABLE = fileURLToPath(new URL("../../target/debug/ledgerbell", import.meta.url));
// What demo servers sign tokens with; known to everybody.
const SECRET = "ledgerbell-demo-secret-known-to-everybody";

export class Server {
  #directory = mkdtempSync(join(tmpdir(), "ledgerbell-clients."));
  #settings;
  #port = 0;
  #process;
  #ownerId;

  /** Settings as environment variables, such as LEDGERBELL_LIVE_PER_CALLER. */
  constructor(settings = {}) {
    this.#settings = settings;
  }

  /** Where its database, mail and cards are. */
  get directory() {
    return this.#directory;
  }

  async start() {
    const flags = ["demo", "--json", "--data-dir", this.#directory, "--listen", `127.0.0.1:${this.#port}`, "--log-level", "warn"];
    const env = { ...process.env, ...this.#settings };
    this.#process = spawn(EXECUTABLE, flags, { env, stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
    const { value, done } = await lines.next();
    if (done) throw new Error("the server ended before it was ready");
    Object.assign(this, JSON.parse(value));
    this.#port = new URL(this.url).port;
    this.endpoint = new URL("/graphql", this.url).toString();
    this.socketEndpoint = this.endpoint.replace("http", "ws");
    return this;
  }

  /** Ends it by a signal, and waits until it is gone. */
  async kill(signal = "SIGKILL") {
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill(signal);
    await gone;
  }

  async remove() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async query(query, variables = {}, credential = this.apiKey) {
    const response = await fetch(this.endpoint, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${credential}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await response.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }

  /** A token that signs a member, or else the owner, in for so many seconds. */
  async token(seconds, memberId) {
    // Asked for once: a client that comes back needs a token while the server is away.
    const ownerId = async () => (await this.query("{ viewer { member { id } } }", {}, this.ownerToken)).viewer.member.id;
    const sub = memberId ?? (this.#ownerId ??= await ownerId());
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const now = Math.floor(Date.now() / 1000);
    const claims = { sub, acct: this.accountId, iat: now, exp: now + seconds };
    const text = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
    return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
  }

  /** Posts entries to the team's account, some at a time, again under the same key when the server was gone meanwhile. */
  async post(count, { atOnce = 16, run = "post" } = {}) {
    let next = 0;
    const one = async () => {
      while (next < count) {
        const input = {
          accountId: this.accountId,
          amount: "0.0001",
          description: "An entry",
          idempotencyKey: `${run}-${next++}`,
        };
        for (;;) {
          try {
            await this.query(
              "mutation ($input: AdjustCreditsInput!) { adjustCredits(input: $input) { entry { id } userErrors { message } } }",
              { input },
            );
            break;
          } catch {
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, one));
  }

  /** The number of the last entry in the team's log, and the place in its stream, once nothing is posted any more: the two are not read
   *  at one instant. */
  async present() {
    let [before, now] = [await this.#read(), await this.#read()];
    for (let tries = 0; tries < 50 && before.sequence !== now.sequence; tries += 1) [before, now] = [now, await this.#read()];
    return now;
  }

  async #read() {
    const { account } = await this.query(
      "query ($id: ID!) { account(id: $id) { liveCursor creditLog(first: 1) { nodes { sequence } } } }",
      { id: this.accountId },
    );
    return { cursor: account.liveCursor, sequence: Number(account.creditLog.nodes[0].sequence) };
  }
}

/** The network between clients and a server, which can be cut. */
export class Network {
  #wires = new Set();
  #listener;

  async to(server) {
    this.#listener = createServer((client) => {
      const upstream = connect(new URL(server.url).port, "127.0.0.1");
      const cut = () => {
        client.destroy();
        upstream.destroy();
        this.#wires.delete(cut);
      };
      this.#wires.add(cut);
      for (const end of [client, upstream]) end.on("error", cut).on("close", cut);
      client.pipe(upstream).pipe(client);
    });
    await new Promise((resolve) => this.#listener.listen(0, "127.0.0.1", resolve));
    this.endpoint = `http://127.0.0.1:${this.#listener.address().port}/graphql`;
    this.socketEndpoint = this.endpoint.replace("http", "ws");
    return this;
  }

  /** Breaks every connection. */
  cut() {
    for (const cut of [...this.#wires]) cut();
  }

  close() {
    this.#listener.close();
    this.cut();
  }
}

export const ENTRIES = `subscription ($after: LiveCursor) {
  creditEntryPosted(after: $after) { cursor signal replayed entry { sequence } }
}`;

/** What a subscriber has seen of a log that it knows up to `sequence`: every entry once and in order, or not. */
export class Seen {
  missed = 0;
  repeated = 0;
  reordered = 0;
  #seen = new Set();
  #waiting = [];

  constructor(sequence) {
    this.first = sequence + 1;
    this.last = sequence;
  }

  add(sequence) {
    if (this.#seen.has(sequence)) this.repeated += 1;
    else if (sequence < this.last) this.reordered += 1;
    this.#seen.add(sequence);
    this.last = Math.max(this.last, sequence);
    this.#waiting = this.#waiting.filter(({ until, resolve }) => this.last < until || resolve());
  }

  get count() {
    return this.#seen.size;
  }

  /** Waits until the entry of this number was seen. */
  reaches(sequence, seconds = 120) {
    if (this.last >= sequence) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`seen up to ${this.last}, but not ${sequence} within ${seconds} s`));
      const timer = setTimeout(late, seconds * 1000);
      this.#waiting.push({
        until: sequence,
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
      });
    });
  }

  /** Fails unless every entry up to this number was seen once and in order. */
  check(sequence, what) {
    for (let number = this.first; number <= sequence; number += 1) if (!this.#seen.has(number)) this.missed += 1;
    const { missed, repeated, reordered, count } = this;
    console.log(`${what}: ${count} events, missed ${missed}, repeated ${repeated}, reordered ${reordered}`);
    if (missed || repeated || reordered || count !== sequence - this.first + 1) throw new Error(`${what}: not every event once`);
  }
}
