// Runs a server for long at 70 % of its load, and draws its memory and its latency over time: both must stay flat.
//
//   scripts/bench.sh soak [--minutes 30]
//
// First it measures what the server can do: 32 clients send the next request after the last response. Then requests begin at 70 % of that
// rate, whether or not others have ended. Of five requests, four are postings over 200 accounts, and one is a page of the log. 200 event
// streams follow the accounts.

import { Agent, request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";

import { Ground, median, optionsOf, percentile, send } from "../ground.mjs";
import { residentMib } from "../processes.mjs";
import { draw } from "../report/chart.mjs";
import { record } from "../report/rows.mjs";

const options = optionsOf({ minutes: "30" });
const MINUTES = Number(options.minutes);
const ACCOUNTS = 200;
const CLIENTS = 32;
const LOAD = 0.7;
const PROBE_MILLIS = 15_000;
const POSTING = `mutation P($i: AdjustCreditsInput!) { adjustCredits(input: $i) { entry { id } userErrors { code } } }`;
const PAGE = `query P($id: ID!) { account(id: $id) { creditLog(first: 50) { nodes { id sequence amount description member { name } } } } }`;
const LIVE = `subscription S($id: ID!) { creditEntryPosted(accountId: $id) { signal entry { id amount } } }`;

const ground = new Ground(options, "soak");
let number = 0;

/** Sends the next request, and returns its time in milliseconds. */
async function next(agent, server, accounts) {
  // Each round begins one later, so that pages are read of all accounts.
  const id = accounts[(number + Math.floor(number / ACCOUNTS)) % ACCOUNTS];
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
  const server = await ground.ledgerbell();
  const accounts = await ground.accounts(server, ACCOUNTS, "Soak");
  accounts.forEach((id) => follow(server, id));
  const agent = new Agent({ keepAlive: true, maxSockets: 512 });
  console.log(`measuring what the server can do: ${(2 * PROBE_MILLIS) / 1_000} s`);
  // Caches are filled by the first.
  await probe(agent, server, accounts);
  const rate = LOAD * (await probe(agent, server, accounts));
  console.log(`${MINUTES} minutes at ${Math.round(rate)} requests a second, ${LOAD * 100} % of what it can`);
  const [memory, latency] = [[], []];
  const begun = performance.now();
  let [sent, failed, times, running] = [0, null, [], 0];
  for (let minute = 1; minute <= MINUTES; minute++) {
    times = [];
    while (performance.now() - begun < minute * 60_000 && !failed) {
      // Requests begin at their time, whether or not others have ended.
      for (; sent < ((performance.now() - begun) / 1_000) * rate; sent++) {
        const into = times;
        running++;
        next(agent, server, accounts).then((time) => into.push(time), (error) => (failed = error)).finally(() => running--);
      }
      await wait(5);
    }
    if (failed) throw failed;
    times.sort((one, other) => one - other);
    memory.push([minute, residentMib(server.pid)]);
    const [p50, p99] = [0.5, 0.99].map((part) => percentile(times, part));
    latency.push([minute, p50, p99]);
    console.log(`minute ${minute}: ${memory.at(-1)[1].toFixed(1)} MiB, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${times.length} requests`);
  }
  while (running > 0) await wait(5);
  const work = `soak of ${MINUTES} minutes at ${LOAD * 100} % load`;
  draw("soak-memory", { title: `Resident memory: ${work}`, x: "minutes", y: "MiB", lines: [{ name: "resident memory", points: memory }] });
  draw("soak-latency", { title: `Times of requests: ${work}`, x: "minutes", y: "ms", lines: [{ name: "p99", points: latency.map(([minute, , p99]) => [minute, p99]) }, { name: "p50", points: latency.map(([minute, p50]) => [minute, p50]) }] });
  const third = Math.max(1, Math.floor(MINUTES / 3));
  const growth = (values) => median(values.slice(-third)) / median(values.slice(0, third));
  record({ work: `${work}: resident memory in the last third`, beside: "the first third", value: growth(memory.map(([, mib]) => mib)), most: 1.1 });
  record({ work: `${work}: p99 in the last third`, beside: "the first third", value: growth(latency.map(([, , p99]) => p99)), most: 1.1 });
  agent.destroy();
  await server.stop();
} finally {
  ground.end();
}
