// Rows of BENCHMARKS.md, as benches record them.

import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** One line of JSON for each measured row; the last one of a row counts. */
export const FILE = join(root, "target", "bench", "rows.jsonl");

/**
 * Records a row: what was measured, beside what, the value (a ratio if there is something beside), and the goal, which is `most` or
 * `least`.
 */
export function record(row) {
  const commit = execFileSync("git", ["-C", root, "rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  const machine = `${cpus()[0].model}, ${cpus().length} processors`;
  mkdirSync(dirname(FILE), { recursive: true });
  appendFileSync(FILE, `${JSON.stringify({ date: new Date().toISOString().slice(0, 10), commit, machine, ...row })}\n`);
  console.log(`  ${describe(row)}`);
}

/** Returns whether the goal is met; undefined without a goal. */
export function isMet({ value, most, least }) {
  if (most !== undefined) return value <= most;
  if (least !== undefined) return value >= least;
}

/** Returns a number with three significant digits. */
export const short = (number) => (Math.abs(number) >= 100 ? Math.round(number).toLocaleString("en") : String(Number(number.toPrecision(3))));

export const measured = ({ value, beside, unit }) => (beside ? `${short(value)} ×` : `${short(value)} ${unit}`);

export function goal({ most, least, beside, unit }) {
  const limit = most ?? least;
  if (limit === undefined) return "–";
  return `${most === undefined ? "≥" : "≤"} ${limit} ${beside ? "×" : unit}`;
}

const describe = (row) => `${row.work}${row.beside ? `, beside ${row.beside}` : ""}: ${measured(row)} (goal ${goal(row)})`;
