// GraphQL over HTTP, as the audits of the reference implementation (npm graphql-http) see it. All of them must pass.
// LEDGERBELL_DEMO is the line that `ledgerbell demo --json` prints.
import { auditServer } from "graphql-http";

const demo = JSON.parse(process.env.LEDGERBELL_DEMO ?? "{}");
if (!demo.url || !demo.ownerToken) {
  throw new Error("set LEDGERBELL_DEMO to the line that `ledgerbell demo --json` prints");
}
// Nobody in particular may ask for nothing but the schema, so the audits are run signed in.
const signedIn = (url, init = {}) =>
  fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${demo.ownerToken}` } });

// As many as this version of the package has: fewer would mean that it no longer looks at something.
const AUDITS = 61;

const results = await auditServer({ url: new URL("/graphql", demo.url).toString(), fetchFn: signedIn });
const missed = results.filter((result) => result.status !== "ok");
for (const { id, name, status, reason } of missed) console.error(`${status}: ${id} ${name}: ${reason}`);
console.log(`GraphQL over HTTP: ${results.length - missed.length} of ${results.length} audits passed`);
if (missed.length > 0 || results.length < AUDITS) process.exitCode = 1;
