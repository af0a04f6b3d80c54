// Measures live messages over WebSockets: memory of idle sockets, from the commit to the client, and messages a second to all subscribers
// of one account.
//
//   scripts/bench.sh live [--sockets 10000] [--subscribers 5000] [--accounts 1000] [--rate 500] [--seconds 10]
//
// Beside: the subscriptions of async-graphql-axum (`benches/stock`), and npm graphql-ws on Node. Both have a pubsub in memory, store nothing
// and check no rights. The clients run on the processors of the server, which is part of every figure. They are steady: 64 connections
// post, whether or not earlier postings have ended.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as wait } from "node:timers/promises";

import { Ground, UNLIMITED, ask, optionsOf } from "../ground.mjs";
import { Load, body, requireSockets } from "../load.mjs";
import { processorTime, residentMib } from "../processes.mjs";
import { draw } from "../report/chart.mjs";
import { record, short } from "../report/rows.mjs";

const options = optionsOf({
  sockets: "10000", subscribers: "5000", accounts: "1000", rate: "500", seconds: "10", load: "target/dist/load", stock: "target/dist/stock",
});
const [SOCKETS, SUBSCRIBERS, ACCOUNTS, RATE, SECONDS] = ["sockets", "subscribers", "accounts", "rate", "seconds"].map((name) => Number(options[name]));
const names = new Intl.NumberFormat("en");
/** After sockets have been opened, memory is returned. */
const SETTLE_MILLIS = 2_000;

const SUBSCRIPTION = body(
  `subscription S($id: ID!) { creditEntryPosted(accountId: $id) { cursor signal entry { sequence amount description } } }`,
  { id: "{{account}}" },
);
const ALERTS = body(`subscription S($id: ID!) { alertRaised(accountId: $id) { cursor signal alert { kind body } } }`, { id: "{{account}}" });
const POSTING = body(`mutation P($i: AdjustCreditsInput!) { adjustCredits(input: $i) { userErrors { code } } }`, {
  i: { accountId: "{{account}}", amount: "1", description: "{{mark}}", idempotencyKey: "{{key}}" },
});
/** The mark is the name of the session, which the alert contains. */
const BOOKING = body(`mutation B($i: BookSessionInput!) { bookSession(input: $i) { userErrors { code } } }`, {
  i: {
    accountId: "{{account}}", memberId: "{{member}}", externalId: "{{mark}}", title: "{{mark}}", credits: "1",
    startsAt: "2099-01-01T10:00:00Z", endsAt: "2099-01-01T11:00:00Z", idempotencyKey: "{{key}}",
  },
});
const COMPLETION = body(`mutation C($i: CompleteSessionInput!) { completeSession(input: $i) { userErrors { code } } }`, {
  i: { accountId: "{{account}}", externalId: "{{mark}}", idempotencyKey: "{{key}}" },
});

const here = dirname(fileURLToPath(import.meta.url));
const ground = new Ground(options, "live");

/** Opens sockets in steps, and returns the KiB that each needs at `SUBSCRIBERS`, and the MiB of the process after each step. */
async function idle(name, server, load) {
  const steps = [...new Set([0, 0.1, 0.25, 0.5, 1].map((part) => Math.round(part * SOCKETS)).concat(SUBSCRIBERS))].sort((one, other) => one - other);
  // The first sockets need what all share.
  await load.run({ do: "open", sockets: 10, subjects: ACCOUNTS, subscribe: SUBSCRIPTION });
  await load.run({ do: "close" });
  await wait(SETTLE_MILLIS);
  const points = [];
  for (const [n, step] of steps.entries()) {
    if (n > 0) await load.run({ do: "open", sockets: step - steps[n - 1], subjects: ACCOUNTS, subscribe: SUBSCRIPTION });
    await wait(SETTLE_MILLIS);
    points.push([step, residentMib(server.pid)]);
  }
  const at = Object.fromEntries(points);
  const each = ((at[SUBSCRIBERS] - at[0]) * 1_024) / SUBSCRIBERS;
  console.log(`${name}: ${points.map(([sockets, mib]) => `${names.format(sockets)} sockets ${short(mib)} MiB`).join(", ")}; ${short(each)} KiB each at ${names.format(SUBSCRIBERS)}`);
  return { each, points };
}

/** Posts while the sockets of `idle` are open. */
async function steady(load, work, bodies) {
  const { p50, p99, fromRequestP50, fromRequestP99, messages, missing, postings, seconds } = await load.run({ do: "steady", rate: RATE, seconds: SECONDS, bodies });
  console.log(`${work}: ${short(postings / seconds)} a second, p50 ${short(p50)} ms, p99 ${short(p99)} ms; from the request p50 ${short(fromRequestP50)} ms, p99 ${short(fromRequestP99)} ms; ${messages} messages, ${missing} missing`);
  if (missing > 0) throw new Error(`${missing} messages have not arrived`);
  return p99;
}

/** All subscribers follow one account. */
async function flood(name, server, load) {
  await load.run({ do: "close" });
  await wait(SETTLE_MILLIS);
  await load.run({ do: "open", sockets: SUBSCRIBERS, subjects: 1, subscribe: SUBSCRIPTION });
  const before = processorTime(server.pid);
  const { messages, seconds, postings } = await load.run({ do: "flood", seconds: SECONDS, body: POSTING });
  const cost = (processorTime(server.pid) - before) / messages;
  console.log(`${name}: ${short(messages / seconds)} messages a second to ${names.format(SUBSCRIBERS)} subscribers (${postings} postings), ${short(cost * 1_000)} µs of processor time each`);
  return { rate: messages / seconds, cost };
}

/** Measures everything of Ledgerbell on a database. */
async function ours(database) {
  const connections = String(Math.max(SOCKETS, SUBSCRIBERS) + 200);
  const limits = { LEDGERBELL_HTTP_MAX_CONNECTIONS: connections, LEDGERBELL_HTTP_MAX_CONNECTIONS_PER_ADDRESS: connections };
  const server = await ground.ledgerbell({ ...UNLIMITED, ...limits }, database === "SQLite" ? ground.sqlite() : undefined);
  console.log(`${names.format(ACCOUNTS)} accounts on ${database}`);
  const subjects = [];
  for (const account of await ground.accounts(server, ACCOUNTS, "Bench")) {
    const add = `mutation A($i: AddMemberInput!) { addMember(input: $i) { member { id } } }`;
    const added = await ask(server, add, { accountId: account, externalId: "one", name: "One" });
    subjects.push({ account, member: added.addMember.member.id });
  }
  const load = new Load(options.load, server, subjects);
  const sockets = await idle(`Ledgerbell on ${database}`, server, load);
  const socketsOf = (count) => `${names.format(count)} sockets, ${names.format(ACCOUNTS)} accounts`;
  const posted = `commit to client, p99: ${socketsOf(SOCKETS)}, ${RATE} postings a second, ${database}`;
  record({ work: posted, value: await steady(load, posted, [POSTING]), unit: "ms", most: 25 });
  await load.run({ do: "close" });
  await wait(SETTLE_MILLIS);
  await load.run({ do: "open", sockets: ACCOUNTS, subjects: ACCOUNTS, subscribe: ALERTS });
  const alerted = `completed session to alert, p99: ${socketsOf(ACCOUNTS)}, ${RATE} sessions a second, ${database}`;
  record({ work: alerted, value: await steady(load, alerted, [BOOKING, COMPLETION]), unit: "ms" });
  // This is last, because it fills one account with lots.
  const flooded = await flood(`Ledgerbell on ${database}`, server, load);
  await load.stop();
  await server.stop();
  return { ...sockets, flooded };
}

async function peer(name, command, args) {
  const server = await ground.start(command, args, { NODE_ENV: "production" });
  const load = new Load(options.load, server, Array.from({ length: ACCOUNTS }, (_, n) => ({ account: `account-${n}` })));
  const sockets = await idle(name, server, load);
  const flooded = await flood(name, server, load);
  await load.stop();
  await server.stop();
  return { ...sockets, flooded };
}

try {
  requireSockets(Math.max(SOCKETS, SUBSCRIBERS));
  const [postgres, sqlite] = [await ours("Postgres"), await ours("SQLite")];
  const [STOCK, NODE] = ["async-graphql-axum", "npm graphql-ws on Node"];
  const stock = await peer(STOCK, options.stock, []);
  const node = await peer(NODE, "node", [join(here, "..", "peers", "graphql_ws.mjs")]);
  const idleSockets = `memory of an idle socket, ${names.format(SUBSCRIBERS)} sockets`;
  record({ work: idleSockets, value: postgres.each, unit: "KiB", most: 9 });
  record({ work: idleSockets, beside: STOCK, value: postgres.each / stock.each });
  record({ work: idleSockets, beside: NODE, value: postgres.each / node.each });
  for (const [database, { flooded }, least] of [["Postgres", postgres, 10], ["SQLite", sqlite, 10]]) {
    const work = `to ${names.format(SUBSCRIBERS)} subscribers of one account, ${database}`;
    record({ work: `messages a second ${work}`, beside: NODE, value: flooded.rate / node.flooded.rate, least });
    record({ work: `messages a second ${work}`, beside: STOCK, value: flooded.rate / stock.flooded.rate });
    record({ work: `processor time of a message ${work}`, beside: NODE, value: flooded.cost / node.flooded.cost });
  }
  draw("sockets", {
    title: "Resident memory of the server against idle sockets",
    x: "sockets, each with one subscription",
    y: "MiB",
    lines: [
      { name: "Ledgerbell", points: postgres.points },
      { name: STOCK, points: stock.points },
      { name: NODE, points: node.points },
    ],
  });
} finally {
  ground.end();
}
