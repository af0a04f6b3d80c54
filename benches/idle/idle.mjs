// Measures what an idle server costs, with 10,000 accounts on Postgres: processor time, statements, memory; and
// how long it takes to start.
//
//   node benches/idle/idle.mjs [--binary target/dist/ledgerbell] [--postgres URL] [--accounts 10000] [--seconds 60]

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Ground, machine, percentile, processorTime, residentMib } from "../ground.mjs";
import { record } from "../report/rows.mjs";

const { values: options } = parseArgs({
  options: {
    binary: { type: "string", default: "target/dist/ledgerbell" },
    postgres: { type: "string", default: "postgres://postgres@127.0.0.1:5432/postgres" },
    accounts: { type: "string", default: "10000" },
    seconds: { type: "string", default: "60" },
  },
});
const STARTS = 5;
/** After a start, what happened in the meantime is caught up with. */
const SETTLE_MILLIS = 10_000;
const ground = new Ground(options.postgres, "ledgerbell_bench_idle");

/** Statements that end on their own are transactions, so this counts them; those in transactions are counted once. */
const transactions = () => Number(ground.sql("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'ledgerbell_bench_idle'", "postgres"));

function sizeOfExecutable() {
  const directory = mkdtempSync(join(tmpdir(), "ledgerbell-size-"));
  const stripped = join(directory, "stripped");
  execFileSync("strip", ["-o", stripped, options.binary]);
  record({ work: `the executable (${options.binary.split("/").at(-2)}), stripped`, value: statSync(stripped).size / 2 ** 20, unit: "MiB", most: 40 });
  rmSync(directory, { recursive: true });
}

try {
  console.log(machine());
  sizeOfExecutable();
  let server = await ground.ledgerbell(options.binary);
  await ground.account(server, "one");
  const count = Number(options.accounts);
  for (let number = 0; number < count; number += 16) {
    await Promise.all(Array.from({ length: Math.min(16, count - number) }, (_, n) => ground.account(server, `account ${number + n}`)));
  }
  ground.sql("VACUUM ANALYZE");
  await server.stop();
  const starts = [];
  for (let start = 0; start < STARTS; start++) {
    if (start > 0) await server.stop();
    const begun = performance.now();
    server = await ground.ledgerbell(options.binary);
    starts.push(performance.now() - begun);
  }
  const accounts = `${Number(options.accounts).toLocaleString("en")} accounts`;
  record({ work: `start until ready, ${accounts}, median of ${STARTS}`, value: percentile(starts.sort((one, other) => one - other), 0.5), unit: "ms", most: 150 });
  await wait(SETTLE_MILLIS);
  const seconds = Number(options.seconds);
  const now = () => ({ own: processorTime(server.pid), postgres: ground.postgresTime(), statements: transactions() });
  const before = now();
  await wait(seconds * 1_000);
  const after = now();
  const percent = (before, after) => (after - before) / seconds / 10;
  record({ work: `idle, ${accounts}: processor of the server`, value: percent(before.own, after.own), unit: "% of a core", most: 0.5 });
  record({ work: `idle, ${accounts}: processor of Postgres`, value: percent(before.postgres, after.postgres), unit: "% of a core" });
  record({ work: `idle, ${accounts}: statements`, value: (after.statements - before.statements) / seconds, unit: "a second", most: 10 });
  record({ work: `idle, ${accounts}: resident memory`, value: residentMib(server.pid), unit: "MiB", most: 30 });
  await server.stop();
} finally {
  ground.end();
}
