// Runs a server for long at 70 % of its load, and draws its memory and its latency over time: both must stay flat.
//
//   node benches/soak/soak.mjs [--binary target/release/ledgerbell] [--postgres URL] [--minutes 30]
//
// Of five requests, four are postings over 200 accounts and one is a page of the log. 200 event streams follow the accounts.

import { Agent, request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Ground, machine, percentile, residentMib, send } from "../ground.mjs";
import { draw } from "../report/chart.mjs";
import { record } from "../report/rows.mjs";

const { values: options } = parseArgs({
  options: {
    binary: { type: "string", default: "target/release/ledgerbell" },
    postgres: { type: "string", default: "postgres://postgres@127.0.0.1:5432/postgres" },
    minutes: { type: "string", default: "30" },
  },
});
const ACCOUNTS = 200;
const CLIENTS = 32;
const LOAD = 0.7;
const PROBE_MILLIS = 15_000;
const POSTING = `mutation P($i: AdjustCreditsInput!) { adjustCredits(input: $i) { entry { id } userErrors { code } } }`;
const PAGE = `query P($id: ID!) { account(id: $id) { creditLog(first: 50) { nodes { id sequence amount description member { name } } } } }`;
const LIVE = `subscription S($id: ID!) { creditEntryPosted(accountId: $id) { signal entry { id amount } } }`;

const ground = new Ground(options.postgres, "ledgerbell_bench_soak");
let number = 0;

/** Sends the next request, and returns its time in milliseconds. */
async function next(agent, server, accounts) {
  const id = accounts[number % ACCOUNTS];
  const input = { accountId: id, amount: "-0.0001", description: "Soak", idempotencyKey: `soak-${number}` };
  const posts = number++ % 5 > 0;
  const begun = performance.now();
  const response = await send(agent, server, posts ? POSTING : PAGE, posts ? { i: input } : { id });
  if (response.includes('"errors"') || (posts && !response.includes('"userErrors":[]'))) throw new Error(response.slice(0, 500));
  return performance.now() - begun;
}

/** Sends requests, each client the next after the last response, and returns the number of requests a second. */
async function probe(agent, server, accounts) {
  const end = performance.now() + PROBE_MILLIS;
  let done = 0;
  const client = async () => {
    for (; performance.now() < end; done++) await next(agent, server, accounts);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return done / (PROBE_MILLIS / 1_000);
}

function follow(server, id) {
  const body = JSON.stringify({ query: LIVE, variables: { id } });
  const headers = { "content-type": "application/json", accept: "text/event-stream", authorization: `Bearer ${server.apiKey}` };
  const stream = request(`${server.url.replace(/\/$/, "")}/graphql`, { method: "POST", headers }, (response) => response.resume());
  // It ends with the server.
  stream.on("error", () => {});
  stream.end(body);
}

try {
  console.log(machine());
  const unlimited = "100000000";
  const server = await ground.ledgerbell(options.binary, {
    LEDGERBELL_LIMITS_RATE: unlimited, LEDGERBELL_LIMITS_BURST: unlimited, LEDGERBELL_LIVE_PER_CALLER: "1000",
    LEDGERBELL_LIVE_COST_PER_CALLER: unlimited, LEDGERBELL_HTTP_MAX_CONNECTIONS_PER_ADDRESS: "1000",
  });
  const accounts = [];
  for (let n = 0; n < ACCOUNTS; n++) accounts.push(await ground.account(server, `Soak ${n}`));
  accounts.forEach((id) => follow(server, id));
  const agent = new Agent({ keepAlive: true, maxSockets: 512 });
  const rate = LOAD * (await probe(agent, server, accounts));
  console.log(`${Math.round(rate)} requests a second, ${LOAD * 100} % of what it can`);
  const [minutes, memory, latency] = [Number(options.minutes), [], []];
  const begun = performance.now();
  let [sent, failed, times] = [0, null, []];
  for (let minute = 1; minute <= minutes; minute++) {
    times = [];
    while (performance.now() - begun < minute * 60_000 && !failed) {
      // Requests begin at their time, whether or not others have ended.
      for (; sent < ((performance.now() - begun) / 1_000) * rate; sent++) {
        const into = times;
        next(agent, server, accounts).then((time) => into.push(time), (error) => (failed = error));
      }
      await wait(5);
    }
    if (failed) throw failed;
    times.sort((one, other) => one - other);
    memory.push([minute, residentMib(server.pid)]);
    latency.push([minute, percentile(times, 0.99)]);
    console.log(`minute ${minute}: ${memory.at(-1)[1].toFixed(1)} MiB, p50 ${percentile(times, 0.5).toFixed(1)} ms, p99 ${latency.at(-1)[1].toFixed(1)} ms, ${times.length} requests`);
  }
  draw("soak-memory", { title: `Memory under ${LOAD * 100} % load`, x: "minutes", y: "MiB", lines: [{ name: "resident", points: memory }] });
  draw("soak-latency", { title: `Latency under ${LOAD * 100} % load`, x: "minutes", y: "ms", lines: [{ name: "p99", points: latency }] });
  const middle = (points) => percentile(points.map(([, value]) => value).sort((one, other) => one - other), 0.5);
  const third = Math.max(1, Math.floor(minutes / 3));
  const growth = (points) => middle(points.slice(-third)) / middle(points.slice(0, third));
  record({ work: `soak of ${minutes} minutes: resident memory in the last third`, beside: "the first third", value: growth(memory), most: 1.1 });
  record({ work: `soak of ${minutes} minutes: p99 in the last third`, beside: "the first third", value: growth(latency), most: 1.1 });
  agent.destroy();
  await server.stop();
} finally {
  ground.end();
}
