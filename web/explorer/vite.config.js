import { defineConfig } from "vite";

export default defineConfig({
  // Also valid when the page is served at /graphql.
  base: "/graphiql/",
  build: {
    target: "es2022",
    chunkSizeWarningLimit: 8_000,
    rolldownOptions: {
      // "use client" in packages has no meaning in a page without server rendering.
      checks: { moduleLevelDirective: false },
    },
  },
  worker: { format: "es" },
});
