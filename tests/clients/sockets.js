// Sockets, with the reference client (npm graphql-ws): it comes back after the server was killed, after its token has expired and
// after its connection broke, and goes on where it was.
import assert from "node:assert/strict";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

import { ENTRIES, Network, Seen, Server } from "./server.js";

const EVENTS = 10_000;
const DISCONNECTS = 20;
const KILLS = 3;

/** A client that keeps its place, whatever happens to its connections. */
function follow({ cursor, sequence }, credential) {
  const seen = new Seen(sequence);
  const state = { seen, codes: [], replayed: 0, connections: 0 };
  const client = createClient({
    url: network.socketEndpoint,
    webSocketImpl: WebSocket,
    connectionParams: async () => ({ authorization: await credential() }),
    retryAttempts: Infinity,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
    // A server that is not there is no close event, and will be there again.
    shouldRetry: () => true,
    on: {
      connected: () => (state.connections += 1),
      closed: ({ code }) => state.codes.push(code),
    },
  });
  // The client sends its payload again for each connection: so that is where the cursor is kept.
  const variables = { after: cursor };
  state.ended = new Promise((resolve, reject) => {
    state.stop = client.subscribe(
      { query: ENTRIES, variables },
      {
        next: ({ data, errors }) => {
          if (errors) reject(new Error(JSON.stringify(errors)));
          const event = data.creditEntryPosted;
          if (event.signal === "RESET") reject(new Error("a reset, though nothing was lost"));
          variables.after = event.cursor;
          if (event.replayed) state.replayed += 1;
          if (event.entry) seen.add(Number(event.entry.sequence));
        },
        error: (reason) => reject(reason?.code ? new Error(`closed for good with ${reason.code}`) : reason),
        complete: resolve,
      },
    );
  });
  state.ended.catch((error) => {
    console.error(error);
    process.exit(1);
  });
  state.close = async () => {
    state.stop();
    await state.ended;
    await client.dispose();
  };
  return state;
}

async function manyEventsAcrossManyDisconnects(server) {
  const present = await server.present();
  const state = follow(present, () => server.ownerToken);
  const posting = server.post(EVENTS, { run: "many" });
  let killed = 0;
  for (let disconnect = 1; disconnect <= DISCONNECTS; disconnect += 1) {
    await state.seen.reaches(present.sequence + Math.floor((EVENTS * disconnect) / (DISCONNECTS + 1)));
    if (disconnect % Math.floor(DISCONNECTS / KILLS) === 0 && killed < KILLS) {
      killed += 1;
      await server.kill();
      await server.start();
    } else {
      network.cut();
    }
  }
  await posting;
  const last = present.sequence + EVENTS;
  await state.seen.reaches(last);
  assert.equal((await server.present()).sequence, last, "every posting is there once");
  state.seen.check(last, `graphql-ws, ${DISCONNECTS} disconnects, ${killed} of them by kill -9 of the server`);
  assert.ok(state.connections > DISCONNECTS, `${state.connections} connections`);
  assert.ok(state.replayed > 0, "something was replayed");
  await state.close();
}

async function tokensAreRefreshed(server) {
  const present = await server.present();
  // One that has expired, then ones that expire while they are used.
  const tokens = [await server.token(-5), await server.token(2), await server.token(4)];
  const state = follow(present, async () => tokens.shift() ?? server.token(60));
  let posted = 0;
  while (state.connections < 3) {
    await server.post(1, { run: `refresh-${posted}` });
    posted += 1;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const last = present.sequence + posted;
  await state.seen.reaches(last);
  state.seen.check(last, `graphql-ws, closed with ${state.codes.join(", ")} and back with a new token each time`);
  assert.deepEqual(state.codes, [4403, 4403, 4403]);
  await state.close();
}

async function aServerThatStopsSendsItsClientsAway(server) {
  const present = await server.present();
  const state = follow(present, () => server.ownerToken);
  await server.post(1, { run: "before" });
  await state.seen.reaches(present.sequence + 1);
  await server.kill("SIGTERM");
  await server.start();
  await server.post(1, { run: "after" });
  await state.seen.reaches(present.sequence + 2);
  state.seen.check(present.sequence + 2, `graphql-ws, a server that was told to stop closed with ${state.codes[0]}`);
  assert.equal(state.codes[0], 1012);
  await state.close();
}

const server = await new Server().start();
const network = await new Network().to(server);
try {
  await manyEventsAcrossManyDisconnects(server);
  await tokensAreRefreshed(server);
  await aServerThatStopsSendsItsClientsAway(server);
} finally {
  network.close();
  await server.remove();
}
