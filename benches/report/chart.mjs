// Draws lines into docs/pictures, as SVG on a card of its own: it is readable on light and on dark pages.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { origin, short } from "./rows.mjs";

const PICTURES = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "docs", "pictures");
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [760, 436, 76, 32, 136, 62];
/** For light pages and for dark ones. Lines have shapes too, for readers who do not see the colors. */
const COLORS = [["#0969da", "#58a6ff"], ["#bc4c00", "#f0883e"], ["#1a7f37", "#3fb950"], ["#8250df", "#bc8cff"], ["#9a6700", "#d29922"]];
const DASHES = ["", "7 4", "2 4", "9 3 2 3", "14 4"];
/** Of a letter at 12.5 pixels, for the legend. */
const LETTER = 7.6;

const STYLE = `
  text { font: 12.5px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #59636e }
  .title { font-size: 17px; font-weight: 600; fill: #1f2328 } .small { font-size: 11px } .axis { font-weight: 600 }
  .card { fill: #ffffff; stroke: #d1d9e0 } .grid { stroke: #d1d9e0 } .goal { stroke: #d1242f }
  .line { fill: none; stroke-width: 2.25; stroke-linejoin: round }
  ${COLORS.map(([light], n) => `.l${n} { stroke: ${light} } .d${n} { fill: ${light} }`).join("\n  ")}
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1 } .title { fill: #f0f6fc } .card { fill: #0d1117; stroke: #3d444d } .grid { stroke: #2a313a } .goal { stroke: #f85149 }
    ${COLORS.map(([, dark], n) => `.l${n} { stroke: ${dark} } .d${n} { fill: ${dark} }`).join("\n    ")}
  }`;

const escaped = (text) => String(text).replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
const text = (x, y, content, more = "") => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped(content)}</text>`;

/** Returns about five round numbers from 0 to at least `most`. */
function ticks(most) {
  const step = [1, 2, 5, 10].map((factor) => factor * 10 ** Math.floor(Math.log10(most / 5))).find((step) => most / step <= 6);
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, n) => n * step);
}

/** Draws the names of the lines in a row, and in more where one is too short. */
function legend(entries) {
  let [x, y] = [16, 78];
  return entries.flatMap(({ name, swatch }) => {
    const width = 40 + name.length * LETTER;
    if (x + width > WIDTH - RIGHT) [x, y] = [16, y + 17];
    const parts = [swatch(x, y - 4), text(x + 30, y, name)];
    x += width;
    return parts;
  });
}

/**
 * Writes `name`.svg. `x` and `y` are the names of the axes with their units; `points` of each line are pairs. `growing` places
 * the values of x at equal ratios, not at equal distances. `goal` is drawn as a line: its value and its name.
 */
export function draw(name, { title, x, y, lines, growing = false, goal }) {
  const place = (value) => (growing ? Math.log(value) : value);
  const all = lines.flatMap(({ points }) => points);
  const xs = [...new Set(all.map(([x]) => x))].sort((one, other) => one - other);
  const [first, last] = [place(xs[0]), place(xs.at(-1))];
  const marks = ticks(Math.max(...all.map(([, y]) => y), goal?.value ?? 0, 1e-9) * 1.02);
  const across = (value) => LEFT + ((place(value) - first) / (last - first || 1)) * (WIDTH - LEFT - RIGHT);
  const up = (value) => HEIGHT - BOTTOM - (value / marks.at(-1)) * (HEIGHT - TOP - BOTTOM);
  const shown = growing || xs.length <= 8 ? xs : ticks(xs.at(-1)).filter((value) => value >= xs[0] && value <= xs.at(-1));
  const level = (value, more) => `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${up(value).toFixed(1)}" y2="${up(value).toFixed(1)}" ${more}/>`;
  const rule = (n, x, y) => `<line x1="${x}" x2="${x + 24}" y1="${y}" y2="${y}" class="line l${n}" stroke-dasharray="${DASHES[n]}"/>`;
  const keys = lines.map(({ name }, n) => ({ name, swatch: (x, y) => rule(n, x, y) }));
  if (goal) keys.push({ name: goal.name, swatch: (x, y) => `<line x1="${x}" x2="${x + 24}" y1="${y}" y2="${y}" class="goal" stroke-dasharray="3 3"/>` });
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">`,
    `<style>${STYLE}</style>`,
    `<rect class="card" x="0.5" y="0.5" width="${WIDTH - 1}" height="${HEIGHT - 1}" rx="8"/>`,
    text(16, 32, title, 'class="title"'),
    text(16, 51, origin(), 'class="small"'),
    ...legend(keys),
    text(16, TOP - 12, y, 'class="axis"'),
    ...marks.flatMap((value) => [level(value, 'class="grid"'), text(LEFT - 8, up(value) + 4, short(value), 'text-anchor="end"')]),
    ...shown.map((value) => text(across(value), HEIGHT - BOTTOM + 20, value.toLocaleString("en"), 'text-anchor="middle"')),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 44, x, 'class="axis" text-anchor="middle"'),
    ...(goal ? [level(goal.value, 'class="goal" stroke-dasharray="3 3"')] : []),
    ...lines.flatMap(({ points }, n) => [
      `<polyline class="line l${n}" stroke-dasharray="${DASHES[n]}" points="${points.map(([x, y]) => `${across(x).toFixed(1)},${up(y).toFixed(1)}`).join(" ")}"/>`,
      ...(points.length > 40 ? [] : points.map(([x, y]) => `<circle class="d${n}" r="3.2" cx="${across(x).toFixed(1)}" cy="${up(y).toFixed(1)}"/>`)),
    ]),
    "</svg>",
  ];
  mkdirSync(PICTURES, { recursive: true });
  writeFileSync(join(PICTURES, `${name}.svg`), `${parts.join("\n")}\n`);
  console.log(`  docs/pictures/${name}.svg`);
}
