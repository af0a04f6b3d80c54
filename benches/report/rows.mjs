// Rows of BENCHMARKS.md, as benches record them.

import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
/** The part of the machine that other programs may use while a row is measured. */
const QUIET = 0.05;

/** One line of JSON for each measured row; the last one of a row counts. */
export const FILE = join(root, "target", "bench", "rows.jsonl");

/** What is measured now: the name of the bench, the profile of the executable, and a function that returns the part of the machine that
 * others have used since its last call. `isBusy` says that they have used much. */
const run = { bench: undefined, build: undefined, others: () => 0, isBusy: false };

export const measuring = (now) => Object.assign(run, now);

const commit = () => execFileSync("git", ["-C", root, "rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
const date = () => new Date().toISOString().slice(0, 10);
const machine = () => `${cpus()[0].model}, ${cpus().length} processors`;

/** Returns one line that says where, when and what was measured. */
export const origin = () => [machine(), run.build && `${run.build} build`, commit(), date(), run.isBusy && "the machine was busy"].filter(Boolean).join(" · ");

/**
 * Records a row: what was measured, beside what, the value (a ratio if there is something beside), and the goal, which is `most` or
 * `least`.
 */
export function record(row) {
  const others = run.others();
  run.isBusy ||= others > QUIET;
  mkdirSync(dirname(FILE), { recursive: true });
  const { bench, build } = run;
  const all = { date: date(), commit: commit(), machine: machine(), bench, build, ...(others > QUIET && { busy: others }), ...row };
  appendFileSync(FILE, `${JSON.stringify(all)}\n`);
  console.log(`  ${describe(all)}`);
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

const verdict = (row) => ({ true: ", met", false: ", NOT MET", undefined: "" })[isMet(row)];
const noise = ({ busy }) => (busy ? `; BUSY: others used ${Math.round(busy * 100)} % of the machine` : "");
const describe = (row) => `${row.work}${row.beside ? `, beside ${row.beside}` : ""}: ${measured(row)} (goal ${goal(row)}${verdict(row)})${noise(row)}`;
