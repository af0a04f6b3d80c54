import { defineConfig } from "vite";

/** Where `npm run dev` sends what is not of the page: a running demo. */
const server = process.env.LEDGERBELL_URL ?? "http://127.0.0.1:8080";
// The server takes sign-ins of its own pages alone.
const proxied = { target: server, changeOrigin: true, headers: { origin: server, "sec-fetch-site": "same-origin" } };

export default defineConfig({
  build: { target: "es2022", rolldownOptions: { checks: { moduleLevelDirective: false } } },
  server: { proxy: { "/graphql": { ...proxied, ws: true }, "/console": proxied } },
});
