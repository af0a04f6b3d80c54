// Event streams, with the reference client (npm graphql-sse): it comes back after its stream broke, after its token has expired and
// after the server was killed, and goes on where it was.
import assert from "node:assert/strict";
import { createClient } from "graphql-sse";

import { ENTRIES, Network, Seen, Server } from "./server.js";

const EVENTS = 1_000;
const DISCONNECTS = 6;

const server = await new Server().start();
const network = await new Network().to(server);
try {
  const present = await server.present();
  const seen = new Seen(present.sequence);
  const tokens = [await server.token(2)];
  let place = present.cursor;
  let connections = 0;
  const client = createClient({
    url: network.endpoint,
    // Asked for before each connection: a new token, and the id of the last event.
    headers: async () => ({
      authorization: `Bearer ${tokens.shift() ?? (await server.token(60))}`,
      "last-event-id": place,
    }),
    retryAttempts: 1_000,
    retry: () => new Promise((resolve) => setTimeout(resolve, 20)),
    on: { connected: () => (connections += 1) },
  });
  const ended = new Promise((resolve, reject) => {
    const sink = {
      next: ({ data, errors }) => {
        if (errors) return reject(new Error(JSON.stringify(errors)));
        const event = data.creditEntryPosted;
        if (event.signal === "RESET") return reject(new Error("a reset, though nothing was lost"));
        place = event.cursor;
        if (event.entry) seen.add(Number(event.entry.sequence));
      },
      error: reject,
      complete: resolve,
    };
    client.subscribe({ query: ENTRIES, variables: { after: present.cursor } }, sink);
  });
  ended.catch((error) => {
    console.error(error);
    process.exit(1);
  });
  // The first token expires.
  let posted = 0;
  while (connections < 2) {
    await server.post(1, { run: `expiry-${posted}` });
    posted += 1;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const posting = server.post(EVENTS, { run: "many" });
  for (let disconnect = 1; disconnect <= DISCONNECTS; disconnect += 1) {
    await seen.reaches(present.sequence + posted + Math.floor((EVENTS * disconnect) / (DISCONNECTS + 1)));
    if (disconnect === DISCONNECTS / 2) {
      await server.kill();
      await server.start();
    } else {
      network.cut();
    }
  }
  await posting;
  const last = present.sequence + posted + EVENTS;
  await seen.reaches(last);
  seen.check(last, `graphql-sse, ${connections} connections`);
  assert.ok(connections > DISCONNECTS);

  // What is wrong with an operation comes as a result.
  const results = [];
  for await (const result of client.iterate({ query: "{ nothing }" })) results.push(result);
  assert.equal(results[0].errors[0].extensions.code, "BAD_REQUEST");
  client.dispose();
} finally {
  network.close();
  await server.remove();
}
