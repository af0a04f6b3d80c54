// Measures how the cost of a page of the credit log grows with the number of fields: processor time of the server and of Postgres for each
// page of 50.
//
//   scripts/bench.sh fields [--pages 1000]; PEERS=1: beside servers from npm
//
// The order is that in which an application would want them; those with names need other tables.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Ground, load, optionsOf } from "../ground.mjs";
import { draw } from "../report/chart.mjs";
import { record, short } from "../report/rows.mjs";

const options = optionsOf({ pages: "1000", peers: false });
const FIELDS = [
  "sequence", "amount", "description", "occurredAt", "id", "kind", "balanceAfter", "member { name }", "session { title }", "actor { label }",
];
/** Those that the other servers do not have. */
const MORE = ["balanceBefore", "hash"];
const COUNTS = [1, 2, 4, 7, 8, 9, 10, 12];

const query = (fields, account) => `query Page(${account}) { account(id: $id) { creditLog(first: 50) { nodes { ${fields.join(" ")} } } } }`;
/** Names a field twice, so that the executor of the library resolves the page. */
const executed = ([first, ...fields]) => [first, first, ...fields];
const check = (response) => {
  if (response.includes('"errors"') || response.length < 1_000) throw new Error(response.slice(0, 500));
};

const here = dirname(fileURLToPath(import.meta.url));
const ground = new Ground(options, "fields");

/** Returns points of the number of fields and the milliseconds of each page, in the server and with Postgres. */
async function measure(name, server, fields, text, variables) {
  const [own, together] = [[], []];
  for (const count of COUNTS.filter((count) => count <= fields.length)) {
    const cost = await load(ground, server, text(fields.slice(0, count)), { count: Number(options.pages), warmUp: 100, variables: () => variables, check });
    own.push([count, cost.own]);
    together.push([count, cost.own + cost.postgres]);
    console.log(`${name}, ${count} fields: ${short(cost.own)} ms in the server, ${short(cost.postgres)} ms in Postgres`);
  }
  return { name, own, together };
}

try {
  const server = await ground.ledgerbell();
  const id = await ground.account(server, "Bench");
  const number = ground.newest();
  ground.fill(number, { entries: 10_000 });
  const all = [...FIELDS, ...MORE];
  const ours = await measure("Ledgerbell", server, all, (fields) => query(fields, "$id: ID!"), { id });
  const byExecutor = await measure("Ledgerbell, by the executor of the library", server, all, (fields) => query(executed(fields), "$id: ID!"), { id });
  await server.stop();
  const measured = [ours, byExecutor];
  for (const name of options.peers ? ["mercurius", "apollo"] : []) {
    const peer = await ground.start("node", [join(here, "..", "peers", `${name}.mjs`)], { DATABASE_URL: ground.url(), NODE_ENV: "production" });
    measured.push(await measure(name, peer, FIELDS, (fields) => query(fields, "$id: String!"), { id: number }));
    await peer.stop();
  }
  const of = (points, count) => points.find(([fields]) => fields === count)[1];
  record({ work: "a page of 50 with 10 fields, server and Postgres", beside: "the same page with 1 field", value: of(ours.together, 10) / of(ours.together, 1) });
  const lines = (part) => measured.map((line) => ({ name: line.name, points: line[part] }));
  draw("fields", { title: "Processor time of the server for a page of 50 entries", x: "fields of each entry", y: "ms a page", lines: lines("own") });
  draw("fields-with-postgres", {
    title: "Processor time of the server and of Postgres for a page of 50", x: "fields of each entry", y: "ms a page", lines: lines("together"),
  });
} finally {
  ground.end();
}
