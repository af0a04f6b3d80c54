// A server for the page that tests open in Chromium.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { build } from "esbuild";

const here = (path) => new URL(path, import.meta.url).pathname;

const HTML = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Credits</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/styles.css"><style>body { margin: 16px; background: light-dark(#eef0f4, #0c0e12) }</style></head>
<body><main></main><script type="module" src="/app.js"></script></body></html>`;

/** Serves files from memory on a free port. */
export async function serve(files) {
  const types = { js: "text/javascript", css: "text/css" };
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://here").pathname;
    response.setHeader("content-type", `${types[path.split(".").pop()] ?? "text/html"}; charset=utf-8`);
    response.end(files[path] ?? files["/"]);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** Serves the page of app.js, with React as it is in development or in production. */
export async function servePage(mode = "development") {
  const { outputFiles } = await build({
    entryPoints: [here("app.js")],
    bundle: true,
    format: "esm",
    write: false,
    define: { "process.env.NODE_ENV": JSON.stringify(mode) },
    minify: mode === "production",
  });
  return serve({ "/": HTML, "/app.js": outputFiles[0].text, "/styles.css": readFileSync(here("../dist/styles.css")) });
}

/** A port that nothing listens on. */
export async function freePort() {
  const { origin, close } = await serve({});
  close();
  return Number(new URL(origin).port);
}
