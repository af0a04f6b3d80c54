// Draws lines into docs/pictures, as SVG that is readable on light and on dark pages.

import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { short } from "./rows.mjs";

const PICTURES = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "docs", "pictures");
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [720, 360, 70, 20, 50, 60];
const COLORS = ["#2f6fde", "#c2571a", "#2a8a57", "#8a4fc2"];

const escaped = (text) => String(text).replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

/** Returns about five round numbers from 0 to at least `most`. */
function ticks(most) {
  const step = [1, 2, 5, 10].map((factor) => factor * 10 ** Math.floor(Math.log10(most / 5))).find((step) => most / step <= 6);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, n) => n * step);
}

/**
 * Writes `name`.svg. `x` and `y` are the names of the axes with their units; `points` of each line are pairs. `growing` places
 * the values of x at equal ratios, not at equal distances.
 */
export function draw(name, { title, x, y, lines, growing = false }) {
  const place = (value) => (growing ? Math.log(value) : value);
  const all = lines.flatMap(({ points }) => points);
  const xs = [...new Set(all.map(([x]) => x))].sort((one, other) => one - other);
  const [first, last] = [place(xs[0]), place(xs.at(-1))];
  const marks = ticks(Math.max(...all.map(([, y]) => y), 1e-9));
  const across = (value) => LEFT + ((place(value) - first) / (last - first || 1)) * (WIDTH - LEFT - RIGHT);
  const up = (value) => HEIGHT - BOTTOM - (value / marks.at(-1)) * (HEIGHT - TOP - BOTTOM);
  const shown = growing ? xs : ticks(xs.at(-1)).filter((value) => value >= xs[0] && value <= xs.at(-1));
  const text = (x, y, content, more = "") => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped(content)}</text>`;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#777">`,
    text(LEFT, 20, title, 'font-size="15"'),
    ...marks.flatMap((value) => [
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${up(value).toFixed(1)}" y2="${up(value).toFixed(1)}" stroke="#8884"/>`,
      text(LEFT - 8, up(value) + 4, short(value), 'text-anchor="end"'),
    ]),
    ...shown.map((value) => text(across(value), HEIGHT - BOTTOM + 18, value.toLocaleString("en"), 'text-anchor="middle"')),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 40, x, 'text-anchor="middle"'),
    text(LEFT, 40, y),
    ...lines.flatMap(({ name, points }, n) => {
      const color = COLORS[n % COLORS.length];
      const path = points.map(([x, y]) => `${across(x).toFixed(1)},${up(y).toFixed(1)}`).join(" ");
      return [
        `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>`,
        text(WIDTH - RIGHT, TOP - 10 + n * 16, name, `text-anchor="end" fill="${color}"`),
      ];
    }),
    "</svg>",
  ];
  writeFileSync(join(PICTURES, `${name}.svg`), `${parts.join("\n")}\n`);
  console.log(`docs/pictures/${name}.svg`);
}
