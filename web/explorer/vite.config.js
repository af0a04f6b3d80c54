import { defineConfig } from "vite";

export default defineConfig({
  // Also where the page is served at /graphql.
  base: "/graphiql/",
  build: {
    target: "es2022",
    chunkSizeWarningLimit: 8_000,
    rolldownOptions: {
      // "use client" in packages means nothing in a page without a server.
      checks: { moduleLevelDirective: false },
    },
  },
  worker: { format: "es" },
});
