import { defineConfig } from "vite";

/** The server to which `npm run dev` forwards requests that are not for the page: a running demo. */
const server = process.env.LEDGERBELL_URL ?? "http://127.0.0.1:8080";
// The server accepts sign-ins only from its own pages.
const proxied = { target: server, changeOrigin: true, headers: { origin: server, "sec-fetch-site": "same-origin" } };

export default defineConfig({
  build: { target: "es2022", rolldownOptions: { checks: { moduleLevelDirective: false } } },
  server: { proxy: { "/graphql": { ...proxied, ws: true }, "/console": proxied } },
});
