// A measured server with an account of any size, and what the operating system and Postgres say of it. Times are those of /proc, so
// this needs Linux. Processor time depends less on other work of the machine than elapsed time does; still, compare only figures of one
// run.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** One line that says on which machine, and when. */
export const machine = () => `${cpus()[0].model}, ${cpus().length} processors, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`;

/** A database of this bench, which replaces one with the same name, and the processes that use it. */
export class Ground {
  #children = [];
  directory = mkdtempSync(join(tmpdir(), "ledgerbell-bench-"));

  constructor(postgres, name) {
    this.postgres = postgres;
    this.name = name;
    this.#drop();
    this.sql(`CREATE DATABASE ${name}`, "postgres");
  }

  url(database = this.name) {
    return Object.assign(new URL(this.postgres), { pathname: `/${database}` }).href;
  }

  /** Runs statements, and returns what they print. */
  sql(text, database = this.name) {
    const options = { input: text, encoding: "utf8", maxBuffer: 1 << 30 };
    return execFileSync("psql", [this.url(database), "-qAtX", "-v", "ON_ERROR_STOP=1"], options).trim();
  }

  /** Starts a server, which writes one line of JSON when it is ready. */
  async start(command, args, env = {}) {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...env } });
    this.#children.push(child);
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

  /** Starts the demo on this database. */
  ledgerbell(binary, env = {}) {
    const where = ["--database-url", this.url(), "--data-dir", this.directory];
    return this.start(binary, ["demo", "--json", "--listen", "127.0.0.1:0", "--log-level", "warn", ...where], env);
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

  /** Inserts members, sessions and entries directly: their hash chain is not valid, and nothing verifies it. */
  fill(account, { entries, sessions = entries, members = 40 }) {
    const columns = "account_id, sequence, id, occurred_at, kind, contra, amount, balance_after, added_after, description, actor_kind, actor_key_id, \
      actor_member_id, member_id, session_id, taken_back, search_text, hash_version, hash";
    const uuid = (digit, number) => `CAST('${digit}' || lpad(to_hex(${number}), 31, '0') AS uuid)`;
    this.sql(
      `INSERT INTO member (account_id, id, external_id, name, role, version, created_at)
         SELECT ${account}, ${uuid("a", "n")}, 'bench-' || n, 'Member ' || n, 'MEMBER', 1, 1700000000000
         FROM generate_series(1, ${members}) AS s(n);
       INSERT INTO session (account_id, id, external_id, member_id, title, status, starts_at, ends_at, booked, held, charged, refunded,
           booked_at, resolved_at, hold_expires_at, search_text, processing_announced)
         SELECT ${account}, ${uuid("b", "n")}, 'bench-' || n, ${uuid("a", `1 + n % ${members}`)}, 'Lesson ' || n, 'COMPLETED',
           1700000000000, 1700000060000, 10000, 0, 10000, 0, 1700000000000, 1700000060000, 1700000060000, ' lesson ' || n, true
         FROM generate_series(1, ${sessions}) AS s(n);
       INSERT INTO credit_entry (${columns})
         SELECT ${account}, n, ${uuid("9", "n")}, ${FIRST} + CAST(n AS BIGINT) * ${STEP}, CASE WHEN n % 10 = 0 THEN 'GRANT' ELSE 'SESSION' END,
           'ADJUSTMENTS', -10000, 10000000000 - CAST(n AS BIGINT) * 10000, 10000000000, CASE WHEN n % 10 = 0 THEN 'A gift' ELSE 'Lesson ' || n END,
           CASE n % 3 WHEN 0 THEN 'API_KEY' WHEN 1 THEN 'MEMBER' ELSE 'SYSTEM' END,
           CASE WHEN n % 3 = 0 THEN (SELECT id FROM api_key ORDER BY id LIMIT 1) END,
           CASE WHEN n % 3 = 1 THEN ${uuid("a", `1 + n % ${members}`)} END,
           CASE WHEN n % 10 > 0 THEN ${uuid("a", `1 + n % ${members}`)} END,
           CASE WHEN n % 10 > 0 THEN ${uuid("b", `1 + n % ${sessions}`)} END, 0, ' lesson', 1, sha256('x')
         FROM generate_series(2, ${entries}) AS s(n);
       UPDATE account_state SET entry_sequence = ${entries} WHERE account_id = ${account};
       VACUUM ANALYZE;`,
    );
  }

  /** Returns the processor time of all connections to the database. They stay open while a server is measured. */
  postgresTime() {
    const query = `SELECT pid FROM pg_stat_activity WHERE datname = '${this.name}' AND pid <> pg_backend_pid()`;
    const pids = this.sql(query, "postgres").split("\n").filter(Boolean);
    return pids.reduce((sum, pid) => sum + processorTime(pid), 0);
  }

  #drop() {
    this.sql(`DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`, "postgres");
  }

  end() {
    this.#children.forEach((child) => child.kill());
    this.#drop();
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
async function ask(server, query, input) {
  const agent = new Agent();
  const { data, errors } = JSON.parse(await send(agent, server, query, { i: input }));
  if (!data) throw new Error(JSON.stringify(errors));
  return data;
}

/** Returns the processor time of a process in milliseconds. */
export function processorTime(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Returns the resident memory of a process in MiB. */
export function residentMib(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1_024;
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

/** Returns the time below which this part of the sorted times is. */
export const percentile = (times, part) => times[Math.min(times.length - 1, Math.floor(times.length * part))];
