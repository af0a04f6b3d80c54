// Writes the table of BENCHMARKS.md from what the benches have recorded: `make bench-report`.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { FILE, goal, isMet, measured } from "./rows.mjs";

const DOCUMENT = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "BENCHMARKS.md");
const [BEGIN, END] = ["<!-- Written by `make bench-report`. -->", "<!-- Until here. -->"];

const rows = new Map();
for (const line of readFileSync(FILE, "utf8").split("\n").filter(Boolean)) {
  const row = JSON.parse(line);
  const key = `${row.work} ${row.beside ?? ""}`;
  // A row keeps its place.
  rows.set(key, row);
}
const met = (row) => ({ true: "met", false: "**not met**", undefined: "" })[isMet(row)];
const machines = [...new Set([...rows.values()].map((row) => row.machine))];
const table = [
  `${machines.join("; ")}.`,
  "",
  "| Work | Beside | Measured | Goal | | Commit, date |",
  "|---|---|---|---|---|---|",
  ...[...rows.values()].map(
    (row) => `| ${row.work} | ${row.beside ?? "–"} | ${measured(row)} | ${goal(row)} | ${met(row)} | ${row.commit}, ${row.date} |`,
  ),
].join("\n");

const text = readFileSync(DOCUMENT, "utf8");
const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
if (begin < 0 || end < begin) throw new Error(`BENCHMARKS.md must contain ${BEGIN} and ${END}`);
writeFileSync(DOCUMENT, `${text.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${text.slice(end)}`);
console.log(table);
