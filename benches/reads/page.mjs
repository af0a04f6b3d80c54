// Measures what a page of the credit log costs: processor time of the server, and of its connections to Postgres, for each page of 50.
//
//   scripts/bench.sh page [--pages 2000]; PEERS=1: beside axum without GraphQL, and servers from npm
//   POSTGRES=url scripts/bench.sh page --citus: on a Citus cluster, whose coordinator is at the URL
//
// All servers read the same rows of the same database.

import { Agent } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Ground, load, optionsOf, send } from "../ground.mjs";
import { record } from "../report/rows.mjs";

const FIELDS = `id sequence occurredAt kind amount balanceAfter description actor { label } member { name } session { title }`;
const PAGE = `query Page($id: ID!, $after: String) { account(id: $id) { creditLog(first: 50, after: $after) {
  pageInfo { endCursor } nodes { ${FIELDS} } } } }`;
/** Names the first node twice, so that the executor of the library resolves the page. */
const EXECUTED = PAGE.replace("nodes { id", "nodes { id id");

const options = optionsOf({ pages: "2000", bare: "", peers: false });

/** Requests pages from several clients and returns the processor times for each page. */
async function measure(name, server, query, variables) {
  const agent = new Agent();
  const text = await send(agent, server, query, variables);
  const first = JSON.parse(text);
  if (first.errors || !text.includes("Lesson")) throw new Error(`${name}: ${text.slice(0, 500)}`);
  const check = (response) => {
    if (response.length !== text.length) throw new Error(`${name}: ${response.slice(0, 500)}`);
  };
  const { own, postgres } = await load(ground, server, query, { count: Number(options.pages), variables: () => variables, check });
  return { name, own, postgres, bytes: text.length };
}

function print(rows) {
  const [ours] = rows;
  console.log(`\n${"milliseconds of processor time for each page".padEnd(46)} ${"server".padStart(8)} ${"Postgres".padStart(9)} ${"ratio".padStart(7)}`);
  for (const { name, own, postgres, bytes } of rows) {
    const figures = [own.toFixed(2).padStart(8), postgres.toFixed(2).padStart(9), (ours.own / own).toFixed(2).padStart(7)];
    console.log(`${`${name} (${bytes} bytes)`.padEnd(46)} ${figures.join(" ")}`);
  }
  for (const [name, most] of [[BARE, 1.5], ["mercurius", 0.5], ["postgraphile", 0.25], ["apollo", 0.15]]) {
    const peer = rows.find((row) => row.name === name);
    if (peer) record({ work: "a page of 50, processor time of the server", beside: name, value: ours.own / peer.own, most });
  }
  const mercurius = rows.find((row) => row.name === "mercurius");
  if (mercurius) {
    const together = (row) => row.own + row.postgres;
    record({ work: "a page of 50, server and Postgres", beside: "mercurius", value: together(ours) / together(mercurius), most: 0.5 });
  }
}

const BARE = "axum, sqlx and serde, without GraphQL";
const here = dirname(fileURLToPath(import.meta.url));
const ground = new Ground(options, "page");
const rows = [];
try {
  const server = await ground.ledgerbell();
  const id = await ground.account(server, "Bench");
  const number = ground.newest();
  ground.fill(number, { entries: 10_000 });
  rows.push(await measure("Ledgerbell", server, PAGE, { id }));
  rows.push(await measure("Ledgerbell, by the executor", server, EXECUTED, { id }));
  await server.stop();
  const variables = { account: number, key: ground.sql("SELECT id FROM api_key ORDER BY id LIMIT 1") };
  const peer = async (name, command, args) => {
    const peer = await ground.start(command, args, { DATABASE_URL: ground.url(), NODE_ENV: "production", GRAPHILE_ENV: "production" });
    rows.push(await measure(name, peer, peer.query ?? "", variables));
    await peer.stop();
  };
  if (options.bare) await peer(BARE, options.bare, []);
  for (const name of options.peers ? ["mercurius", "postgraphile", "apollo"] : []) {
    await peer(name, "node", [join(here, "..", "peers", `${name}.mjs`)]);
  }
  print(rows);
} finally {
  ground.end();
}
