// Writes the tables of BENCHMARKS.md from what the benches have recorded: `make bench-report`. A row of the document that was not measured
// anew stays as it is.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { FILE, goal, isMet, measured } from "./rows.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const DOCUMENT = join(ROOT, "BENCHMARKS.md");
const [BEGIN, END] = ["<!-- Written by `make bench-report`. -->", "<!-- Until here. -->"];
const HEAD = ["| Work | Beside | Measured | Goal | | Build, commit, date |", "|---|---|---|---|---|---|"];

/** The sections in their order, with the bench of their rows and their pictures. */
const SECTIONS = [
  { bench: "postings", title: "Postings: `make bench`", pictures: ["throughput"] },
  { bench: "postings, slow commits", title: "Postings where a commit takes longer: `SYNC_MILLIS=2 scripts/bench.sh postings`", pictures: ["throughput-slow-commits"] },
  { bench: "live", title: "Live messages: `make bench-live`", pictures: ["sockets"] },
  { bench: "page", title: "A page of the credit log: `make bench-page PEERS=1`", pictures: [] },
  { bench: "fields", title: "A page against its fields: `make bench-fields PEERS=1`", pictures: ["fields", "fields-with-postgres"] },
  { bench: "growth", title: "A page against the length of the log: `make bench-growth ENTRIES=10000000`", pictures: ["growth"] },
  { bench: "reads", title: "Other reads: `make bench-reads PEERS=1`", pictures: [] },
  { bench: "idle", title: "An idle server, its start and its size: `make bench-idle`", pictures: [] },
  { bench: "soak", title: "Half an hour of load: `make bench-soak`", pictures: ["soak-memory", "soak-latency"] },
];

/** A row keeps its place. */
const keyOf = (work, beside) => `${work} | ${beside ?? "–"}`;

const text = readFileSync(DOCUMENT, "utf8");
const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
if (begin < 0 || end < begin) throw new Error(`BENCHMARKS.md must contain ${BEGIN} and ${END}`);

/** The lines of each section. */
const tables = new Map(SECTIONS.map(({ bench }) => [bench, new Map()]));
let section;
for (const line of text.slice(begin, end).split("\n")) {
  if (line.startsWith("### ")) section = SECTIONS.find(({ title }) => line === `### ${title}`)?.bench;
  const [, work, beside] = line.split("|").map((cell) => cell.trim());
  if (section && line.startsWith("| ") && work !== "Work") tables.get(section).set(keyOf(work, beside), line);
}

const met = (row) => ({ true: "met", false: "**not met**", undefined: "" })[isMet(row)];
const rows = existsSync(FILE) ? readFileSync(FILE, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)) : [];
for (const row of rows) {
  const key = keyOf(row.work, row.beside);
  const table = tables.get(row.bench) ?? [...tables.values()].find((table) => table.has(key));
  const value = `${measured(row)}${row.busy ? " (busy)" : ""}`;
  const source = [row.build, row.commit, row.date].filter(Boolean).join(", ");
  table?.set(key, `| ${row.work} | ${row.beside ?? "–"} | ${value} | ${goal(row)} | ${met(row)} | ${source} |`);
}

const machines = [...new Set(rows.map((row) => row.machine))];
const parts = [...(machines.length > 0 ? [`The newest rows are of ${machines.join("; ")}.`] : [])];
for (const { bench, title, pictures } of SECTIONS) {
  parts.push(`### ${title}`);
  const lines = [...tables.get(bench).values()];
  parts.push(lines.length > 0 ? [...HEAD, ...lines].join("\n") : "Not measured yet.");
  for (const picture of pictures.filter((picture) => existsSync(join(ROOT, "docs", "pictures", `${picture}.svg`)))) {
    parts.push(`![${title.split(":")[0]}](docs/pictures/${picture}.svg)`);
  }
}
const written = parts.join("\n\n");
writeFileSync(DOCUMENT, `${text.slice(0, begin + BEGIN.length)}\n\n${written}\n\n${text.slice(end)}`);
console.log(written);
