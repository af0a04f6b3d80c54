// The reference server of graphql-transport-ws (npm graphql-ws) with a pubsub in its memory. It stores nothing and checks no rights.
// POST publishes: `variables.i` has the account and the description.

import { createServer } from "node:http";
import { buildSchema } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";

const schema = buildSchema(`
  type Query { ok: Boolean }
  type Entry { sequence: String amount: String description: String }
  type Event { cursor: String signal: String entry: Entry }
  type Subscription { creditEntryPosted(accountId: ID!): Event }
`);

const listeners = new Map();

function subscribe(accountId) {
  const waiting = [{ cursor: "0", signal: "CAUGHT_UP", entry: null }];
  let wake = () => {};
  const listener = (event) => {
    waiting.push(event);
    wake();
  };
  if (!listeners.has(accountId)) listeners.set(accountId, new Set());
  listeners.get(accountId).add(listener);
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      while (waiting.length === 0) await new Promise((resolve) => (wake = resolve));
      return { done: false, value: { creditEntryPosted: waiting.shift() } };
    },
    async return() {
      listeners.get(accountId).delete(listener);
      return { done: true, value: undefined };
    },
  };
}

let sequence = 0;
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => {
    const { accountId, description } = JSON.parse(body).variables.i;
    sequence += 1;
    const entry = { sequence: String(sequence), amount: "1", description };
    for (const listener of listeners.get(accountId) ?? []) listener({ cursor: String(sequence), signal: "ITEM", entry });
    const posted = JSON.stringify({ data: { adjustCredits: { userErrors: [] } } });
    response.setHeader("content-length", posted.length).end(posted);
  });
});
const roots = { subscription: { creditEntryPosted: ({ accountId }) => subscribe(accountId) } };
useServer({ schema, roots }, new WebSocketServer({ server, path: "/graphql" }));
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` })));
