// Measures postings through GraphQL over HTTP: on Postgres beside pgbench, which writes the same rows with one transaction for each
// posting, and on SQLite beside one commit for each posting on a bare connection.
//
//   scripts/bench.sh postings [--seconds 5] [--rounds 3] [--accounts 1000]
//   SYNC_MILLIS=2 scripts/bench.sh postings: on disks that need so much longer for a commit
//   POSTGRES=url scripts/bench.sh postings --citus: the same on a Citus cluster, whose coordinator is at the URL, without SQLite
//
// Each pair is measured in turn, and the median of the rounds counts. Processor time is that of the server and of Postgres; the clients of
// Ledgerbell are not counted. pgbench is counted with its connections, which its rate leaves out: with many seconds they hardly matter.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Ground, median, optionsOf } from "../ground.mjs";
import { Load, body } from "../load.mjs";
import { processorTime } from "../processes.mjs";
import { draw } from "../report/chart.mjs";
import { measuring, record, short } from "../report/rows.mjs";

const options = optionsOf({ seconds: "5", rounds: "3", accounts: "1000", load: "target/dist/load", commits: "target/dist/bare_commits" });
const [SECONDS, ROUNDS, ACCOUNTS] = [options.seconds, options.rounds, options.accounts].map(Number);
const names = new Intl.NumberFormat("en");

const CLIENTS = [1, 4, 16, 64];
/** The least ratios of postings a second beside pgbench. */
const GOALS = { 1: 0.9, 16: 1.5, 64: 2.5 };
const HOT_GOAL = 12;
const SQLITE_GOAL = 3;
const POSTING = body(`mutation P($i: AdjustCreditsInput!) { adjustCredits(input: $i) { entry { id } userErrors { code } } }`, {
  i: { accountId: "{{account}}", amount: "-0.0001", description: "Bench", idempotencyKey: "{{key}}" },
});
const TRANSACTION = join(dirname(fileURLToPath(import.meta.url)), "posting.sql");

/** How much longer than on this machine's disk a sync takes. */
const SYNC_MILLIS = Number(process.env.SLOW_COMMITS_MICROS ?? 0) / 1_000;
const AS_SLOW = SYNC_MILLIS ? `, commits ${SYNC_MILLIS} ms longer` : "";
/** What the rows call the databases. */
const POSTGRES = `${options.citus ? "Citus" : "Postgres"}${AS_SLOW}`;
const SQLITE = `SQLite with synchronous = FULL${AS_SLOW}`;

const ground = new Ground(options, "postings");
const peer = new Ground(options, "postings_peer");
if (SYNC_MILLIS) measuring({ bench: "postings, slow commits" });

/** Starts a server with accounts, and returns a function that posts from clients over the first accounts. */
async function prepare(database) {
  const server = await ground.ledgerbell(undefined, database === "SQLite" ? ground.sqlite() : undefined);
  console.log(`${names.format(ACCOUNTS)} accounts on ${database}`);
  const accounts = await ground.accounts(server, ACCOUNTS, "Bench");
  const load = new Load(options.load, server, accounts.map((account) => ({ account })));
  const run = (clients, subjects, seconds) => load.run({ do: "requests", clients, seconds, subjects, body: POSTING });
  await run(16, ACCOUNTS, 1);
  const post = async (clients, subjects) => {
    const before = processorTime(server.pid) + (database === "SQLite" ? 0 : ground.postgresTime());
    const { done, seconds, p50, p99 } = await run(clients, subjects, SECONDS);
    const used = processorTime(server.pid) + (database === "SQLite" ? 0 : ground.postgresTime()) - before;
    return { rate: done / seconds, cost: used / done, p50, p99 };
  };
  const stop = async () => {
    await load.stop();
    await server.stop();
  };
  return { post, stop };
}

function preparePgbench() {
  peer.migrate(peer.url());
  peer.sql(
    `INSERT INTO account_state (account_id, status, posted, added, held, incoming, debt, balance_version, balance_at, entry_sequence, event_sequence,
         event_nonce, last_hash, last_at, lot_count, session_grace_millis)
       SELECT n, 'ACTIVE', 10000000000, 10000000000, 0, 0, 0, 0, 0, 0, 0, 0, sha256('x'), 0, 1, 0 FROM generate_series(1, ${ACCOUNTS}) n;
     INSERT INTO credit_lot (account_id, id, kind, granted, remaining, priority, created_at, entry_id)
       SELECT n, gen_random_uuid(), 'PAID', 10000000000, 10000000000, 0, 0, gen_random_uuid() FROM generate_series(1, ${ACCOUNTS}) n;
     VACUUM ANALYZE;`,
  );
}

async function pgbench(clients, accounts) {
  const [time, threads] = [Math.max(1, Math.round(SECONDS)), Math.min(2, clients)];
  const sizes = [`--define=accounts=${accounts}`, `--client=${clients}`, `--jobs=${threads}`, `--time=${time}`];
  const before = peer.postgresTime();
  // Without encryption, as the server on the same machine.
  const { text, millis } = await peer.runs("pgbench", ["--no-vacuum", "--protocol=prepared", ...sizes, `--file=${TRANSACTION}`, peer.url()], { PGSSLMODE: "disable" });
  const used = peer.postgresTime() - before;
  const number = (pattern) => Number(pattern.exec(text)?.[1]);
  const [rate, done] = [number(/^tps = ([\d.]+)/m), number(/actually processed: (\d+)/)];
  if (!(done > 0)) throw new Error(`pgbench: ${text}`);
  return { rate, cost: (used + millis) / done };
}

let files = 0;

/** One commit for each posting, on one connection: more connections cannot write at once. */
async function bareCommits() {
  const url = ground.sqlite(`peer-${files++}`);
  ground.migrate(url);
  const { text, millis } = await ground.runs(options.commits, [url.slice("sqlite://".length).split("?")[0], String(SECONDS)]);
  const { done, seconds } = JSON.parse(text);
  return { rate: done / seconds, cost: millis / done };
}

/** Measures both in turn, and prints medians. */
async function compare(what, ours, theirs) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push([await ours(), await theirs()]);
  const middle = (n, name) => median(rounds.map((round) => round[n][name]));
  const [own, other] = [0, 1].map((n) => ({ rate: middle(n, "rate"), cost: middle(n, "cost") }));
  const ratios = { rate: median(rounds.map(([own, other]) => own.rate / other.rate)), cost: median(rounds.map(([own, other]) => own.cost / other.cost)) };
  const figures = ({ rate, cost }) => `${short(rate)} a second, ${short(cost)} ms of processor time each`;
  console.log(`${what}: ${figures(own)} (p50 ${short(middle(0, "p50"))} ms, p99 ${short(middle(0, "p99"))} ms); the peer: ${figures(other)}`);
  return { own, other, ratios };
}

function recordBoth(work, beside, { ratios }, least) {
  record({ work: `postings a second, ${work}`, beside, value: ratios.rate, least });
  record({ work: `processor time of a posting, ${work}`, beside, value: ratios.cost });
}

/** Measures on SQLite, and draws all lines. */
async function onSqlite(many, lines) {
  const sqlite = await prepare("SQLite");
  for (const clients of CLIENTS.slice(0, -1)) lines.sqlite.push([clients, (await sqlite.post(clients, ACCOUNTS)).rate]);
  const work = `${SQLITE}, ${many}, 64 clients`;
  const measured = await compare(work, () => sqlite.post(64, ACCOUNTS), bareCommits);
  lines.sqlite.push([64, measured.own.rate]);
  lines.bare = CLIENTS.map((clients) => [clients, measured.other.rate]);
  recordBoth(work, "one commit for each posting on bare SQLite", measured, SQLITE_GOAL);
  await sqlite.stop();

  draw(SYNC_MILLIS ? "throughput-slow-commits" : "throughput", {
    title: `Postings a second, spread over ${many}${AS_SLOW}`,
    x: "clients",
    y: "postings a second",
    growing: true,
    lines: [
      { name: "Ledgerbell on Postgres, through HTTP", points: lines.ours },
      { name: "pgbench, the same rows, one transaction each", points: lines.pgbench },
      { name: "Ledgerbell on SQLite, through HTTP", points: lines.sqlite },
      { name: "bare SQLite, one commit each", points: lines.bare },
    ],
  });
}

try {
  const lines = { ours: [], pgbench: [], sqlite: [], bare: [] };
  preparePgbench();
  const postgres = await prepare(POSTGRES);
  const many = `${names.format(ACCOUNTS)} accounts`;
  for (const clients of CLIENTS) {
    const work = `${POSTGRES}, ${many}, ${clients} ${clients === 1 ? "client" : "clients"}`;
    const measured = await compare(work, () => postgres.post(clients, ACCOUNTS), () => pgbench(clients, ACCOUNTS));
    lines.ours.push([clients, measured.own.rate]);
    lines.pgbench.push([clients, measured.other.rate]);
    if (GOALS[clients]) recordBoth(work, "pgbench, the same rows, one posting a transaction", measured, GOALS[clients]);
  }
  const hot = `${POSTGRES}, one account, 64 clients`;
  recordBoth(hot, "pgbench on one hot row", await compare(hot, () => postgres.post(64, 1), () => pgbench(64, 1)), HOT_GOAL);
  await postgres.stop();
  if (!options.citus) await onSqlite(many, lines);
} finally {
  peer.end();
  ground.end();
}
