// Measures what an idle server costs, with 10,000 accounts on Postgres: processor time, statements, memory; and
// how long it takes to start.
//
//   scripts/bench.sh idle [--accounts 10000] [--seconds 60]

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

import { Ground, median, optionsOf } from "../ground.mjs";
import { processorTime, residentMib } from "../processes.mjs";
import { record } from "../report/rows.mjs";

const options = optionsOf({ accounts: "10000", seconds: "60" });
const STARTS = 5;
/** After a start, what happened in the meantime is caught up with. */
const SETTLE_MILLIS = 10_000;
const ground = new Ground(options, "idle");

/** Statements that end on their own are transactions, so this counts them; those in transactions are counted once. */
const transactions = () => Number(ground.sql(`SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '${ground.name}'`, "postgres"));

function sizeOfExecutable() {
  const directory = mkdtempSync(join(tmpdir(), "ledgerbell-size-"));
  const stripped = join(directory, "stripped");
  execFileSync("strip", ["-o", stripped, options.binary]);
  record({ work: `the executable (${options.binary.split("/").at(-2)}), stripped`, value: statSync(stripped).size / 2 ** 20, unit: "MiB", most: 40 });
  rmSync(directory, { recursive: true });
}

try {
  sizeOfExecutable();
  let server = await ground.ledgerbell({});
  console.log(`creating ${options.accounts} accounts`);
  await ground.accounts(server, Number(options.accounts), "account");
  // As a day after their creation: the findings of all accounts were checked, at different times of the last quarter of an hour.
  ground.sql(`INSERT INTO account_finding (account_id, findings, checked_at, checked_sequence, due_at)
      SELECT account_id, 0, now.millis - CAST(random() * 900000 AS BIGINT), event_sequence, now.millis + CAST(random() * 86400000 AS BIGINT)
      FROM account_state, (SELECT CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT) AS millis) AS now
      ON CONFLICT (account_id) DO UPDATE SET checked_at = excluded.checked_at, checked_sequence = excluded.checked_sequence, due_at = excluded.due_at;
    VACUUM ANALYZE;`);
  await server.stop();
  const starts = [];
  for (let start = 0; start < STARTS; start++) {
    if (start > 0) await server.stop();
    const begun = performance.now();
    server = await ground.ledgerbell({});
    starts.push(performance.now() - begun);
  }
  const accounts = `${Number(options.accounts).toLocaleString("en")} accounts`;
  record({ work: `start until ready, ${accounts}, median of ${STARTS}`, value: median(starts), unit: "ms", most: 150 });
  console.log(`idle for ${(SETTLE_MILLIS / 1_000)} and ${options.seconds} seconds`);
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
