// A measured server with an account of any size, and what Postgres says of it. Processor time depends less on other work of the machine
// than elapsed time does; still, compare only figures of one run. This needs Linux.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

import { Cluster } from "./cluster.mjs";
import { endChildren, machineTime, ownTime, processorTime, spawn } from "./processes.mjs";
import { measuring } from "./report/rows.mjs";

/** Two processes with their pools, or 64 clients of pgbench, and what else is connected. */
const CONNECTIONS = 100;
/** The number of accounts that are created concurrently. */
const AT_ONCE = 16;

/** Processor times are counted in units of 10 ms, so a shorter time says nothing. */
const JUST_NOW_MILLIS = 2_000;

/** Settings of a server whose callers are not limited. */
export const UNLIMITED = {
  LEDGERBELL_LIMITS_RATE: "100000000",
  LEDGERBELL_LIMITS_BURST: "100000000",
  LEDGERBELL_LIVE_PER_CALLER: "1000000",
  LEDGERBELL_LIVE_COST_PER_CALLER: "1000000000",
  LEDGERBELL_HTTP_MAX_CONNECTIONS: "1000",
  LEDGERBELL_HTTP_MAX_CONNECTIONS_PER_ADDRESS: "1000",
};

/** Settings for a Citus cluster, where a transaction may not change accounts on several servers. */
const ON_CITUS = { LEDGERBELL_ENGINE_ACCOUNTS_PER_TRANSACTION: "1" };

/**
 * Returns the options of a bench: those that all have, and its own with their defaults; a boolean is a flag. `--citus` says that the Postgres
 * is the coordinator of a Citus cluster.
 */
export function optionsOf(own = {}) {
  const all = { binary: "target/dist/ledgerbell", postgres: "postgres://postgres@127.0.0.1:5432/postgres", citus: false, ...own };
  const options = Object.entries(all).map(([name, value]) => [name, typeof value === "boolean" ? { type: "boolean", default: value } : { type: "string", default: value }]);
  return parseArgs({ options: Object.fromEntries(options) }).values;
}

/** Those that have not ended. */
const grounds = new Set();
process.once("SIGINT", () => {
  grounds.forEach((ground) => ground.end());
  process.exit(130);
});

/** A database of this bench, which replaces one with the same name, and the processes that use it. */
export class Ground {
  #seen = null;
  #others = 0;
  #cluster;

  constructor({ postgres, binary, citus }, name) {
    this.#cluster = new Cluster(postgres, citus);
    this.citus = citus;
    this.binary = binary;
    this.name = `ledgerbell_bench_${name}`;
    this.directory = mkdtempSync(join(tmpdir(), "ledgerbell-bench-"));
    this.#checkPostgres();
    this.#cluster.drop(this.name);
    this.#cluster.create(this.name);
    this.#seen = this.#used();
    // Another database belongs to the same bench.
    if (grounds.size === 0) measuring({ bench: citus ? `${name} on Citus` : name, build: binary.split("/").at(-2), others: () => this.#othersSince() });
    grounds.add(this);
  }

  #checkPostgres() {
    if (grounds.size > 0) return;
    const show = (setting) => this.sql(`SHOW ${setting}`, "postgres");
    const [version, fsync, commit, connections] = ["server_version", "fsync", "synchronous_commit", "max_connections"].map(show);
    console.log(`${cpus()[0].model}, ${cpus().length} processors, Node ${process.version}; ${this.binary}`);
    console.log(`PostgreSQL ${version}: fsync ${fsync}, synchronous_commit ${commit}, max_connections ${connections}; files in ${this.directory}`);
    if (Number(connections) < CONNECTIONS) throw new Error(`max_connections of Postgres must be at least ${CONNECTIONS}; got ${connections}`);
    if (fsync !== "on" || commit !== "on") console.log("Commits are not durable on this Postgres: postings must not be compared here.");
  }

  #used() {
    return { at: performance.now(), machine: machineTime(), own: ownTime() + this.postgresTime() };
  }

  /** Returns the part of the machine that other programs have used since the last call, or before it if that was just now. */
  #othersSince() {
    const [before, now] = [this.#seen, this.#used()];
    if (now.at - before.at < JUST_NOW_MILLIS) return this.#others;
    this.#seen = now;
    const others = now.machine - before.machine - (now.own - before.own);
    return (this.#others = Math.max(0, others / (now.at - before.at) / cpus().length));
  }

  url(database = this.name) {
    return this.#cluster.url(database);
  }

  /** Returns the URL of a new SQLite database. */
  sqlite(name = "ledgerbell") {
    mkdirSync(join(this.directory, name));
    return `sqlite://${join(this.directory, name, "ledgerbell.db")}?mode=rwc`;
  }

  /** Runs statements, and returns what they print. */
  sql(text, database = this.name) {
    return this.#cluster.sql(text, database);
  }

  /** Starts a server, which writes one line of JSON when it is ready. */
  async start(command, args, env = {}) {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...env } });
    const lines = createInterface({ input: child.stdout });
    const ready = await new Promise((resolve, reject) => {
      lines.once("line", (line) => resolve(JSON.parse(line)));
      child.once("exit", (code) => reject(new Error(`${command} ended with ${code}`)));
    });
    const stop = () =>
      new Promise((resolve) => {
        child.once("exit", resolve);
        child.kill();
      });
    return { ...ready, pid: child.pid, stop };
  }

  /** Starts the demo on this database, or on the one that the URL names. */
  ledgerbell(env = UNLIMITED, url = this.url()) {
    // It keeps its key there.
    const data = join(this.directory, url === this.url() ? "data" : "data-of-sqlite");
    const where = ["--database-url", url, "--data-dir", data];
    const isOnCitus = this.citus && url === this.url();
    if (isOnCitus) this.migrate(url);
    return this.start(this.binary, ["demo", "--json", "--listen", "127.0.0.1:0", "--log-level", "warn", ...where], { ...env, ...(isOnCitus && ON_CITUS) });
  }

  /** Makes the schema in a database, without any rows. The database of a cluster is distributed. */
  migrate(url) {
    const profile = this.citus && url === this.url() ? ["--profile", "citus"] : [];
    execFileSync(this.binary, ["migrate", ...profile, "--log-level", "warn", "--database-url", url], { stdio: ["ignore", "ignore", "inherit"] });
  }

  /** Runs a program until it ends. Returns what it prints, and the milliseconds of processor time that it used. */
  async runs(command, args, env = {}) {
    const shell = spawn("bash", ["-c", '"$0" "$@"; code=$?; echo; times; exit $code', command, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, LC_ALL: "C", ...env },
    });
    const texts = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"]) shell[stream].on("data", (chunk) => (texts[stream] += chunk));
    const code = await new Promise((resolve, reject) => shell.once("close", resolve).once("error", reject));
    if (code !== 0) throw new Error(`${command} ended with ${code}: ${texts.stderr.slice(-2_000)}`);
    const lines = texts.stdout.trimEnd().split("\n");
    const millis = [...lines.at(-1).matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60_000 + Number(seconds) * 1_000, 0);
    return { text: lines.slice(0, -2).join("\n"), millis };
  }

  /** Creates accounts, several at once, and returns their ids. */
  async accounts(server, count, name) {
    const ids = [];
    for (let number = 0; number < count; number += AT_ONCE) {
      ids.push(...(await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - number) }, (_, n) => this.account(server, `${name} ${number + n}`)))));
      if (number > 0 && number % 2_000 === 0) console.log(`  ${number.toLocaleString("en")} of ${count.toLocaleString("en")} accounts`);
    }
    return ids;
  }

  /** Creates an account with an owner and a million credits, and returns its id. */
  async account(server, name) {
    const create = `mutation C($i: CreateAccountInput!) { createAccount(input: $i) { account { id } userErrors { message } } }`;
    const owner = { externalId: "owner", name: "Olga", email: "olga@example.com" };
    const created = await ask(server, create, { name, creditPrice: "1", currency: "EUR", owner });
    const id = created.createAccount.account.id;
    const grant = `mutation G($i: GrantCreditsInput!) { grantCredits(input: $i) { userErrors { message } } }`;
    await ask(server, grant, { accountId: id, credits: "1000000", description: "Bench", idempotencyKey: "g" });
    return id;
  }

  /** Returns the number of the newest account in the database. */
  newest() {
    return this.sql("SELECT MAX(account_id) FROM account_state");
  }

  /** Returns a token of the account's owner. */
  async token(server, accountId) {
    const create = `mutation T($i: CreateMemberTokenInput!) { createMemberToken(input: $i) { token userErrors { message } } }`;
    const created = await ask(server, create, { accountId, memberExternalId: "owner", expiresInSeconds: 3600 });
    return created.createMemberToken.token;
  }

  /**
   * Inserts members, sessions and entries after the account's first entry, in the shapes of rows that the API makes. One in ten adds 9
   * credits, and the others deduct 1 each. The running sums are right; the hash chain is not valid, and nothing verifies it.
   */
  fill(account, { entries, sessions = entries, members = 40 }) {
    const uuid = (digit, number) => `CAST('${digit}' || lpad(to_hex(${number}), 31, '0') AS uuid)`;
    const added = "first.added_after + 90000 * CAST(n / 10 AS BIGINT)";
    const first = `(SELECT balance_after, added_after FROM credit_entry WHERE account_id = ${account} AND sequence = 1)`;
    this.sql(
      `INSERT INTO member (account_id, id, external_id, name, role, version, created_at)
         SELECT ${account}, ${uuid("a", "n")}, 'bench-' || n, 'Member ' || n, 'MEMBER', 1, ${FIRST}
         FROM generate_series(1, ${members}) AS s(n);
       INSERT INTO session (account_id, id, external_id, member_id, title, status, starts_at, ends_at, booked, held, charged, refunded,
           booked_at, resolved_at, hold_expires_at, search_text, processing_announced)
         SELECT ${account}, ${uuid("b", "n")}, 'bench-' || n, ${uuid("a", `1 + n % ${members}`)}, 'Lesson ' || n, 'COMPLETED',
           ${FIRST}, ${FIRST} + 60000, 10000, 0, 10000, 0, ${FIRST}, ${FIRST} + 60000, ${FIRST} + 60000, ' lesson ' || n, true
         FROM generate_series(1, ${sessions}) AS s(n);
       INSERT INTO credit_entry (account_id, sequence, id, occurred_at, kind, contra, amount, balance_after, added_after, description,
           actor_kind, actor_key_id, actor_member_id, member_id, session_id, taken_back, search_text, hash_version, hash)
         SELECT ${account}, n, ${uuid("9", "n")}, ${FIRST} + CAST(n AS BIGINT) * ${STEP}, CASE WHEN n % 10 = 0 THEN 'GRANT' ELSE 'SESSION' END,
           CASE WHEN n % 10 = 0 THEN 'PROMOTIONS' ELSE 'SESSION_REVENUE' END, CASE WHEN n % 10 = 0 THEN 90000 ELSE -10000 END,
           first.balance_after + 90000 * CAST(n / 10 AS BIGINT) - 10000 * CAST(n - 1 - n / 10 AS BIGINT), ${added},
           CASE WHEN n % 10 = 0 THEN 'A gift' ELSE 'Lesson ' || n END,
           CASE n % 3 WHEN 0 THEN 'API_KEY' WHEN 1 THEN 'MEMBER' ELSE 'SYSTEM' END,
           CASE WHEN n % 3 = 0 THEN (SELECT id FROM api_key ORDER BY id LIMIT 1) END,
           CASE WHEN n % 3 = 1 THEN ${uuid("a", `1 + n % ${members}`)} END,
           CASE WHEN n % 10 > 0 THEN ${uuid("a", `1 + n % ${members}`)} END,
           CASE WHEN n % 10 > 0 THEN ${uuid("b", `1 + n % ${sessions}`)} END, 0, ' lesson', 1, sha256(CAST(CAST(n AS TEXT) AS BYTEA))
         FROM generate_series(2, ${entries}) AS s(n), ${first} AS first;
       UPDATE account_state SET entry_sequence = e.sequence, posted = e.balance_after, added = e.added_after, last_hash = e.hash
         FROM credit_entry AS e WHERE account_state.account_id = ${account} AND e.account_id = ${account} AND e.sequence = ${entries};
       VACUUM ANALYZE member, session, credit_entry, account_state;`,
    );
  }

  /**
   * Returns the processor time that all processes of Postgres have used, also those that have ended, in milliseconds. The server must be on
   * this machine, and nothing else may use it.
   */
  postgresTime() {
    return this.#cluster.processorTime();
  }

  end() {
    grounds.delete(this);
    endChildren();
    this.#cluster.drop(this.name);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The instant of the first entry that `fill` inserts, and the time between two, in milliseconds. */
export const FIRST = 1_700_000_000_000;
export const STEP = 1_000;

/** Sends a GraphQL request over one keep-alive connection, and returns the text of the response. */
export function send(agent, server, query, variables) {
  const body = JSON.stringify({ query, variables });
  const headers = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...(server.apiKey && { authorization: `Bearer ${server.apiKey}` }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(`${server.url.replace(/\/$/, "")}/graphql`, { method: "POST", agent, headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve(Buffer.concat(chunks).toString()));
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Sends a mutation with one input, and returns its data. */
export async function ask(server, query, input) {
  const agent = new Agent();
  const { data, errors } = JSON.parse(await send(agent, server, query, { i: input }));
  if (!data) throw new Error(JSON.stringify(errors));
  return data;
}

/**
 * Sends `count` requests from `clients` connections, after a warm-up. `variables` makes those of a request. `check` throws on a wrong
 * response: a server that answers an error quickly must not win. Returns milliseconds: of processor time for each request, in the
 * server and in Postgres, and the times of all requests in order.
 */
export async function load(ground, server, query, { count, clients = 4, warmUp = 300, variables, check }) {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const run = async (requests) => {
    const times = [];
    let left = requests;
    const client = async () => {
      while (left-- > 0) {
        const begun = performance.now();
        const response = await send(agent, server, query, variables());
        times.push(performance.now() - begun);
        check(response);
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
    return times.sort((one, other) => one - other);
  };
  await run(warmUp);
  const now = () => [processorTime(server.pid), ground.postgresTime()];
  const before = now();
  const times = await run(count);
  const [own, postgres] = now().map((time, n) => (time - before[n]) / count);
  agent.destroy();
  return { own, postgres, times };
}

/** Returns the value in the middle. */
export const median = (values) => percentile([...values].sort((one, other) => one - other), 0.5);

/** Returns the time below which this part of the sorted times is. */
export const percentile = (times, part) => times[Math.min(times.length - 1, Math.floor(times.length * part))];
