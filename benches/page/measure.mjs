// Measures what a page of the credit log costs: processor time of the server, and of its connections to Postgres, for each page of 50.
//
//   node benches/page/measure.mjs --binary target/release/ledgerbell [--postgres URL] [--pages 2000] [--bare BINARY] [--peers]
//
// All servers read the same rows of the same database. Times are those of /proc, so this needs Linux. Processor time depends less on
// other work of the machine than elapsed time does; still, compare only figures of one run.

import { execFileSync, spawn } from "node:child_process";
import { readFileSync, mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const DATABASE = "ledgerbell_bench_page";
const ENTRIES = 10_000;
const CLIENTS = 4;
const WARM_UP = 300;
const FIELDS = `id sequence occurredAt kind amount balanceAfter description actor { label } member { name } session { title }`;
const PAGE = `query Page($id: ID!, $after: String) { account(id: $id) { creditLog(first: 50, after: $after) {
  pageInfo { endCursor } nodes { ${FIELDS} } } } }`;
/** Names the first node twice, so that the executor of the library resolves the page. */
const EXECUTED = PAGE.replace("nodes { id", "nodes { id id");

const { values: options } = parseArgs({
  options: {
    binary: { type: "string", default: "target/release/ledgerbell" },
    postgres: { type: "string", default: "postgres://postgres@127.0.0.1:5432/postgres" },
    pages: { type: "string", default: "2000" },
    bare: { type: "string" },
    peers: { type: "boolean", default: false },
  },
});
const url = (database) => Object.assign(new URL(options.postgres), { pathname: `/${database}` }).href;
const sql = (database, text) =>
  execFileSync("psql", [url(database), "-qAtX", "-v", "ON_ERROR_STOP=1"], { input: text, encoding: "utf8" }).trim();

const children = [];

/** Starts a server, which writes one line of JSON when it is ready. */
async function start(command, args, env = {}) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...env } });
  children.push(child);
  const lines = createInterface({ input: child.stdout });
  const ready = await new Promise((resolve, reject) => {
    lines.once("line", (line) => resolve(JSON.parse(line)));
    child.once("exit", (code) => reject(new Error(`${command} ended with ${code}`)));
  });
  return { ...ready, pid: child.pid, stop: () => child.kill() };
}

/** Sends a GraphQL request over one keep-alive connection, and returns the text of the response. */
function send(agent, server, query, variables) {
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

/** Returns the processor time of a process in milliseconds. */
function processorTime(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Returns the processor time of all connections to the database. They stay open while a server is measured. */
function postgresTime() {
  const query = `SELECT pid FROM pg_stat_activity WHERE datname = '${DATABASE}' AND pid <> pg_backend_pid()`;
  const pids = sql("postgres", query).split("\n").filter(Boolean);
  return pids.reduce((sum, pid) => sum + processorTime(pid), 0);
}

/** Requests pages from several clients and returns the processor times for each page. */
async function measure(name, server, query, variables) {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const text = await send(agent, server, query, variables);
  const [first, length] = [JSON.parse(text), text.length];
  if (first.errors || !JSON.stringify(first).includes("Lesson")) throw new Error(`${name}: ${JSON.stringify(first).slice(0, 500)}`);
  const bytes = JSON.stringify(first).length;
  const run = async (pages) => {
    let left = pages;
    const client = async () => {
      while (left-- > 0) {
        const response = await send(agent, server, query, variables);
        // A server that answers an error quickly must not win.
        if (response.length !== length) throw new Error(`${name}: ${response.slice(0, 500)}`);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
  };
  await run(WARM_UP);
  const pages = Number(options.pages);
  const before = [processorTime(server.pid), postgresTime()];
  const begun = performance.now();
  await run(pages);
  const elapsed = performance.now() - begun;
  const after = [processorTime(server.pid), postgresTime()];
  agent.destroy();
  const [own, postgres] = after.map((time, n) => (time - before[n]) / pages);
  return { name, own, postgres, elapsed: elapsed / pages, bytes };
}

/** Inserts members, sessions and entries directly: their hash chain is not valid, and nothing verifies it. */
function fill(account) {
  const columns = "account_id, sequence, id, occurred_at, kind, contra, amount, balance_after, description, actor_kind, actor_key_id, \
    actor_member_id, member_id, session_id, taken_back, search_text, hash_version, hash";
  const uuid = (digit, number) => `CAST('${digit}' || lpad(to_hex(${number}), 31, '0') AS uuid)`;
  sql(
    DATABASE,
    `INSERT INTO member (account_id, id, external_id, name, role, version, created_at)
       SELECT ${account}, ${uuid("a", "n")}, 'bench-' || n, 'Member ' || n, 'MEMBER', 1, 1700000000000 FROM generate_series(1, 40) AS s(n);
     INSERT INTO session (account_id, id, external_id, member_id, title, status, starts_at, ends_at, booked, held, charged, refunded,
         booked_at, resolved_at, hold_expires_at, search_text, processing_announced)
       SELECT ${account}, ${uuid("b", "n")}, 'bench-' || n, ${uuid("a", "1 + n % 40")}, 'Lesson ' || n, 'COMPLETED', 1700000000000,
         1700000060000, 10000, 0, 10000, 0, 1700000000000, 1700000060000, 1700000060000, ' lesson ' || n, true
       FROM generate_series(1, ${ENTRIES}) AS s(n);
     INSERT INTO credit_entry (${columns})
       SELECT ${account}, n, ${uuid("9", "n")}, 1700000000000 + n, CASE WHEN n % 10 = 0 THEN 'GRANT' ELSE 'SESSION' END, 'ADJUSTMENTS',
         -10000, 10000000000 - n * 10000, CASE WHEN n % 10 = 0 THEN 'A gift' ELSE 'Lesson ' || n END,
         CASE n % 3 WHEN 0 THEN 'API_KEY' WHEN 1 THEN 'MEMBER' ELSE 'SYSTEM' END,
         CASE WHEN n % 3 = 0 THEN (SELECT id FROM api_key ORDER BY id LIMIT 1) END, CASE WHEN n % 3 = 1 THEN ${uuid("a", "1 + n % 40")} END,
         CASE WHEN n % 10 > 0 THEN ${uuid("a", "1 + n % 40")} END, CASE WHEN n % 10 > 0 THEN ${uuid("b", "n")} END, 0, ' lesson', 1,
         sha256('x') FROM generate_series(2, ${ENTRIES}) AS s(n);
     UPDATE account_state SET entry_sequence = ${ENTRIES} WHERE account_id = ${account};
     VACUUM ANALYZE;`,
  );
}

async function ledgerbell(directory) {
  const server = await start(options.binary, [
    "demo", "--json", "--listen", "127.0.0.1:0", "--log-level", "warn", "--database-url", url(DATABASE), "--data-dir", directory,
  ]);
  const agent = new Agent({ keepAlive: true });
  const create = `mutation C($i: CreateAccountInput!) { createAccount(input: $i) { account { id } userErrors { message } } }`;
  const created = await send(agent, server, create, { i: { name: "Bench", creditPrice: "1", currency: "EUR" } });
  const id = JSON.parse(created).data.createAccount.account.id;
  const grant = `mutation G($i: GrantCreditsInput!) { grantCredits(input: $i) { userErrors { message } } }`;
  await send(agent, server, grant, { i: { accountId: id, credits: "1000000", description: "Bench", idempotencyKey: "g" } });
  agent.destroy();
  return { server, id };
}

function print(rows) {
  const reference = rows[0].own;
  console.log(`\n${"milliseconds of processor time for each page".padEnd(46)} ${"server".padStart(8)} ${"Postgres".padStart(9)} ${"ratio".padStart(7)}`);
  for (const { name, own, postgres, bytes } of rows) {
    const figures = [own.toFixed(2).padStart(8), postgres.toFixed(2).padStart(9), (own / reference).toFixed(2).padStart(7)];
    console.log(`${`${name} (${bytes} bytes)`.padEnd(46)} ${figures.join(" ")}`);
  }
}

const here = dirname(fileURLToPath(import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "ledgerbell-page-"));
const drop = () => sql("postgres", `DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
drop();
sql("postgres", `CREATE DATABASE ${DATABASE}`);
const rows = [];
try {
  console.log(`${cpus()[0].model}, ${cpus().length} processors, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`);
  const { server, id } = await ledgerbell(directory);
  const account = sql(DATABASE, "SELECT MAX(account_id) FROM account_state");
  fill(account);
  rows.push(await measure("Ledgerbell", server, PAGE, { id }));
  rows.push(await measure("Ledgerbell, by the executor", server, EXECUTED, { id }));
  server.stop();
  const variables = { account, key: sql(DATABASE, "SELECT id FROM api_key ORDER BY id LIMIT 1") };
  const peer = async (name, command, args) => {
    const peer = await start(command, args, { DATABASE_URL: url(DATABASE), NODE_ENV: "production", GRAPHILE_ENV: "production" });
    rows.push(await measure(name, peer, peer.query ?? "", variables));
    peer.stop();
  };
  if (options.bare) await peer("axum, sqlx and serde, without GraphQL", options.bare, []);
  for (const name of options.peers ? ["mercurius", "postgraphile", "apollo"] : []) {
    await peer(name, "node", [join(here, "..", "peers", `${name}.mjs`)]);
  }
  print(rows);
} finally {
  children.forEach((child) => child.kill());
  drop();
  rmSync(directory, { recursive: true, force: true });
}
