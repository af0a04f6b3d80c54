// Measures whether a page of the credit log takes longer when the log is longer: pages that end at random instants of the whole log.
//
//   scripts/bench.sh growth [--entries 1000000] [--pages 3000]; ENTRIES=10000000 with make
//
// Accounts of 10,000 entries, of ten times as many and so on, up to `--entries`, are in one database. They are measured in turn, and the
// median of the rounds counts.

import { Agent } from "node:http";

import { FIRST, Ground, STEP, load, median, optionsOf, percentile, send } from "../ground.mjs";
import { draw } from "../report/chart.mjs";
import { record, short } from "../report/rows.mjs";

const options = optionsOf({ entries: "1000000", pages: "3000", smallest: "10000" });
const [ENTRIES, PAGES, SMALLEST] = [options.entries, options.pages, options.smallest].map(Number);
const ROUNDS = 3;
/** No account has more sessions. */
const SESSIONS = 200_000;
/** The goal is for ten million entries beside ten thousand, and so it is for fewer. */
const GOAL = 1.5;
const names = new Intl.NumberFormat("en");

const PAGE = `query Page($id: ID!, $filter: CreditLogFilter) { account(id: $id) { creditLog(first: 50, filter: $filter) {
  nodes { id sequence occurredAt kind amount balanceAfter description actor { label } member { name } session { title } }
  pageInfo { endCursor } } } }`;
const TOTALS = `query Totals($id: ID!) { account(id: $id) { creditLog(first: 1) { totals { count added deducted } } } }`;

const ground = new Ground(options, "growth");
const check = (response) => {
  if (response.includes('"errors"') || !response.includes('"Lesson')) throw new Error(response.slice(0, 500));
};
const anywhere = ({ id, entries }) => () => ({
  id,
  filter: { occurredAt: { before: new Date(FIRST + STEP * (100 + Math.floor(Math.random() * (entries - 100)))).toISOString() } },
});

/** Fills an account, and checks that the server finds the sums of its rows. */
async function account(server, entries) {
  const [id, number] = [await ground.account(server, `${entries} entries`), ground.newest()];
  const begun = performance.now();
  ground.fill(number, { entries, sessions: Math.min(entries, SESSIONS) });
  console.log(`${names.format(entries)} entries were inserted in ${short((performance.now() - begun) / 1_000)} s`);
  const agent = new Agent();
  const { totals } = JSON.parse(await send(agent, server, TOTALS, { id })).data.account.creditLog;
  const sums = `SELECT COUNT(*), SUM(amount) FILTER (WHERE amount > 0) / 10000, -SUM(amount) FILTER (WHERE amount < 0) / 10000 FROM credit_entry WHERE account_id = ${number}`;
  const rows = ground.sql(sums).split("|").map(Number);
  const found = [totals.count, totals.added, totals.deducted].map((value) => Math.abs(Number(value)));
  if (found.some((value, n) => value !== rows[n])) throw new Error(`the sums of ${entries} entries are ${rows}; the server has ${found}`);
  return { id, entries, p50: [], p99: [] };
}

try {
  const server = await ground.ledgerbell();
  const sizes = [];
  for (let entries = SMALLEST; entries < ENTRIES; entries *= 10) sizes.push(entries);
  sizes.push(ENTRIES);
  const accounts = [];
  for (const entries of sizes) accounts.push(await account(server, entries));
  for (let round = 1; round <= ROUNDS; round++) {
    for (const measured of accounts) {
      const { times } = await load(ground, server, PAGE, { count: Math.ceil(PAGES / ROUNDS), clients: 1, variables: anywhere(measured), check });
      for (const [name, part] of [["p50", 0.5], ["p99", 0.99]]) measured[name].push(percentile(times, part));
      console.log(`round ${round}, ${names.format(measured.entries)} entries: p50 ${short(measured.p50.at(-1))} ms, p99 ${short(measured.p99.at(-1))} ms`);
    }
  }
  const [small, large] = [accounts[0], accounts.at(-1)];
  record({
    work: `a page anywhere among ${names.format(large.entries)} entries, p99`,
    beside: `${names.format(small.entries)} entries`,
    value: median(large.p99.map((p99, round) => p99 / small.p99[round])),
    most: GOAL,
  });
  draw("growth", {
    title: "A page of 50 anywhere in the credit log, against its length",
    x: "entries of the account",
    y: "ms, one client",
    growing: true,
    goal: { value: GOAL * median(small.p99), name: `goal of p99: ${GOAL} × that of ${names.format(small.entries)} entries` },
    lines: ["p99", "p50"].map((name) => ({ name, points: accounts.map((measured) => [measured.entries, median(measured[name])]) })),
  });
  await server.stop();
} finally {
  ground.end();
}
