// The peer of benches/live: the reference server (npm graphql-ws) with a pubsub in its memory. POST publishes: the query is the mark, the
// variable id the account. Prints where it listens.
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
    const { query, variables } = JSON.parse(body);
    sequence += 1;
    const entry = { sequence: String(sequence), amount: "1", description: query };
    for (const listener of listeners.get(variables.id) ?? []) listener({ cursor: String(sequence), signal: "ITEM", entry });
    response.setHeader("content-length", 2).end("{}");
  });
});
const roots = { subscription: { creditEntryPosted: ({ accountId }) => subscribe(accountId) } };
useServer({ schema, roots }, new WebSocketServer({ server, path: "/graphql" }));
server.listen(0, "127.0.0.1", () => console.log(`127.0.0.1:${server.address().port}`));
