// What the builds of pages that the server serves have in common: packed files beside the plain ones, and how large a first load is.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const PACKED = /\.(?:html|js|css|svg|json|ttf|txt)$/;

/** Writes each file of a folder again as .gz and .br, if that is worth it. */
export function pack(folder) {
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!PACKED.test(name)) continue;
    const plain = readFileSync(join(folder, name));
    const brotli = brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
    const gzip = gzipSync(plain, { level: 9 });
    if (gzip.length >= plain.length * 0.95) continue;
    writeFileSync(join(folder, `${name}.br`), brotli);
    writeFileSync(join(folder, `${name}.gz`), gzip);
  }
}

/** The bytes, after gzip, of a page and of what it names to be loaded with it. */
export function firstLoad(folder) {
  const page = readFileSync(join(folder, "index.html"), "utf8");
  const named = [...page.matchAll(/(?:src|href)="\/(?:graphiql\/)?(assets\/[^"]+)"/g)].map((found) => found[1]);
  const sizes = ["index.html", ...new Set(named)].map((name) =>
    gzipSync(readFileSync(join(folder, name)), { level: 9 }),
  );
  return sizes.reduce((sum, packed) => sum + packed.length, 0);
}
