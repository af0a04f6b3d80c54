// Measures reads of the credit log: a small team, the typical screen of an application, sums, and the export of everything.
//
//   scripts/bench.sh reads [--entries 1000000] [--pages 1000]; PEERS=1: beside Apollo Server
//
// One account has the given number of entries and 200,000 sessions; another is a team of 10 with 150 sessions.

import { spawn } from "node:child_process";
import { Agent, get } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Ground, load, median, optionsOf, send } from "../ground.mjs";
import { residentMib } from "../processes.mjs";
import { record, short } from "../report/rows.mjs";

const options = optionsOf({ entries: "1000000", pages: "1000", peers: false });
const ENTRIES = Number(options.entries);
const PAGES = Number(options.pages);

const NODE = `id sequence occurredAt kind amount balanceAfter description actor { label } member { name } session { title }`;
const page = (first) => `creditLog(first: ${first}) { nodes { ${NODE} } pageInfo { endCursor } }`;
const PAGE = `query Page($id: ID!) { account(id: $id) { ${page(50)} } }`;
const screen = (findings) => `query Screen($id: ID!) { account(id: $id) { balance { posted available }
  ${page(20)} alerts(first: 1) { unreadCount } ${findings} } }`;
const TOTALS = `query Totals($id: ID!) { account(id: $id) { creditLog(first: 1) { totals { count added deducted } } } }`;
const BY_DAY = `query Days($id: ID!) { account(id: $id) { creditUsage(groupBy: [DAY], first: 100) { nodes { totals { count net } } } } }`;
const ZONE = "UTC";

const names = new Intl.NumberFormat("en");
const ground = new Ground(options, "reads");
const here = dirname(fileURLToPath(import.meta.url));
const check = (response) => {
  if (response.includes('"errors"') || !response.includes('"data"')) throw new Error(response.slice(0, 500));
};

async function smallTeam(server, large, team) {
  const measure = (account) => load(ground, server, PAGE, { count: PAGES, variables: () => ({ id: account.id }), check });
  const [of_team, of_large] = [await measure(team), await measure(large)];
  const cost = ({ own, postgres }) => own + postgres;
  record({
    work: "a page of a team of 10 members and 150 sessions, server and Postgres",
    beside: "the same page at 200,000 sessions",
    value: cost(of_team) / cost(of_large),
    most: 1.1,
  });
}

async function typicalScreen(server, account, number) {
  const measure = (query) => load(ground, server, query, { count: PAGES, variables: () => ({ id: account.id }), check });
  const found = await measure(screen("troubleshooting { code }"));
  const last = await measure(screen("lastFindings { count }"));
  const costs = ({ own, postgres }) => `${short(own)} + ${short(postgres)} ms`;
  console.log(`the typical screen: ${costs(found)}; with the findings of the last check: ${costs(last)}`);
  if (!options.peers) return;
  const peer = await ground.start("node", [join(here, "..", "peers", "apollo.mjs")], { DATABASE_URL: ground.url(), NODE_ENV: "production" });
  const member = ground.sql(`SELECT id FROM member WHERE account_id = ${number} AND external_id = 'owner'`);
  const variables = () => ({ account: number, member });
  const theirs = await load(ground, peer, peer.screen, { count: PAGES, variables, check });
  await peer.stop();
  console.log(`Apollo Server: ${costs(theirs)}`);
  const total = ({ own, postgres }) => own + postgres;
  record({ work: "the typical screen, server and Postgres", beside: "Apollo Server, which reads the findings of the last check", value: total(found) / total(theirs), most: 0.2 });
  record({ work: "the typical screen with the findings of the last check", beside: "Apollo Server", value: total(last) / total(theirs), most: 0.2 });
}

/** Runs SQL as often as the operation, and compares the elapsed times. */
async function sums(server, { id, number }) {
  const raw = {
    totals: `SELECT COUNT(*), SUM(CASE WHEN amount > 0 THEN amount ELSE 0 END), SUM(CASE WHEN amount < 0 THEN -amount ELSE 0 END)
      FROM credit_entry WHERE account_id = ${number};`,
    "usage by day": `SELECT date_trunc('day', to_timestamp(occurred_at / 1000.0) AT TIME ZONE '${ZONE}') AS day, COUNT(*), SUM(amount)
      FROM credit_entry WHERE account_id = ${number} GROUP BY day ORDER BY day DESC LIMIT 100;`,
  };
  for (const [work, query] of [["totals", TOTALS], ["usage by day", BY_DAY]]) {
    const [ours, theirs] = [[], []];
    const agent = new Agent({ keepAlive: true });
    for (let round = 0; round < 5; round++) {
      const begun = performance.now();
      check(await send(agent, server, query, { id }));
      ours.push(performance.now() - begun);
      // Without the time that psql needs to start.
      theirs.push(Number(/^Time: ([\d.]+) ms/m.exec(ground.sql(`\\timing on\n${raw[work]}`))[1]));
    }
    agent.destroy();
    console.log(`${work}: ${short(median(ours))} ms, raw SQL ${short(median(theirs))} ms`);
    record({ work: `${work} of ${names.format(ENTRIES)} entries, speed`, beside: "the same as raw SQL", value: median(theirs) / median(ours), least: 20 });
  }
}

async function exported(server, { id, number }) {
  const agent = new Agent();
  const link = JSON.parse(await send(agent, server, `query E($id: ID!) { account(id: $id) { creditLogExport { url } } }`, { id }));
  const before = residentMib(server.pid);
  let [most, bytes] = [before, 0];
  let begun = performance.now();
  await new Promise((resolve, reject) => {
    get(link.data.account.creditLogExport.url, (response) => {
      response.on("data", (chunk) => {
        if (bytes >> 22 !== (bytes + chunk.length) >> 22) most = Math.max(most, residentMib(server.pid));
        bytes += chunk.length;
      });
      response.on("end", resolve);
      response.on("error", reject);
    }).on("error", reject);
  });
  const ours = performance.now() - begun;
  // The columns of our file.
  const time = (format) => `to_char(to_timestamp(e.occurred_at / 1000.0) AT TIME ZONE '${ZONE}', '${format}')`;
  const columns = `e.sequence, e.id, ${time('YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')}, ${time("YYYY-MM-DD HH24:MI:SS")}, '${ZONE}', e.kind,
    e.amount / 10000.0, e.balance_after / 10000.0, e.description, e.actor_kind, COALESCE(k.name, a.name), e.member_id, m.name, e.session_id,
    s.title, s.external_id, e.top_up_id, e.reverses_entry_id, encode(e.hash, 'hex')`;
  const joins = `LEFT JOIN session s ON s.account_id = e.account_id AND s.id = e.session_id
    LEFT JOIN member m ON m.account_id = e.account_id AND m.id = e.member_id
    LEFT JOIN member a ON a.account_id = e.account_id AND a.id = e.actor_member_id LEFT JOIN api_key k ON k.id = e.actor_key_id`;
  const rows = `SELECT ${columns} FROM credit_entry e ${joins} WHERE e.account_id = ${number} ORDER BY e.sequence`.replace(/\s+/g, " ");
  begun = performance.now();
  await new Promise((resolve, reject) => {
    const copy = spawn("psql", [ground.url(), "-qX"], { stdio: ["pipe", "ignore", "inherit"] });
    copy.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`psql ended with ${code}`))));
    copy.stdin.end(`\\copy (${rows}) TO STDOUT WITH (FORMAT csv)\n`);
  });
  const theirs = performance.now() - begun;
  console.log(`the export: ${short(bytes / 1e6)} MB in ${short(ours / 1_000)} s, \\copy ${short(theirs / 1_000)} s`);
  record({ work: `export of ${names.format(ENTRIES)} entries as CSV, speed`, beside: "psql \\copy of the same columns", value: theirs / ours, least: 0.7 });
  record({ work: "memory that the export adds to the server", value: most - before, unit: "MiB", most: 16 });
}

try {
  const server = await ground.ledgerbell();
  const accounts = {};
  for (const [name, size] of Object.entries({
    large: { entries: ENTRIES, sessions: 200_000 },
    team: { entries: 150, sessions: 150, members: 10 },
  })) {
    const [id, number] = [await ground.account(server, name), ground.newest()];
    console.log(`filling an account with ${names.format(size.entries)} entries`);
    ground.fill(number, size);
    accounts[name] = { id, number, ...size };
  }
  const { large, team } = accounts;
  const owner = { ...server, apiKey: await ground.token(server, large.id) };
  await smallTeam(server, large, team);
  await typicalScreen(owner, large, large.number);
  await sums(server, large);
  await exported(server, large);
  await server.stop();
} finally {
  ground.end();
}
