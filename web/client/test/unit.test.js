// What needs no server.
import assert from "node:assert/strict";
import { test } from "node:test";

import { RefusedError, RequestError, createLedgerbell } from "../dist/index.js";
import { graphql } from "../dist/graphql.js";

const KEYED =
  "mutation ($input: BookSessionInput!) { bookSession(input: $input) { userErrors { code message field } } }";

/** A client whose requests are answered by these functions in turn; the last again and again. */
function client(answers, more = {}) {
  const requests = [];
  const fetch = async (url, { headers, body, signal }) => {
    requests.push({ url, headers, ...JSON.parse(body) });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    return answer(signal);
  };
  let tokens = 0;
  const made = createLedgerbell({ url: "http://here/graphql", token: () => `token-${(tokens += 1)}`, fetch, ...more });
  return { client: made, requests };
}

const json =
  (body, status = 200, headers = {}) =>
  () =>
    new Response(JSON.stringify(body), { status, headers });
const broken = () => {
  throw new TypeError("fetch failed");
};
const never = (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
const done = json({ data: { bookSession: { userErrors: [] } } });

test("a mutation that got no answer is sent again with the same key", async () => {
  const { client: c, requests } = client([broken, json({}, 502), done]);
  await c.mutate(KEYED, { input: { title: "x" } });
  const keys = requests.map((request) => request.variables.input.idempotencyKey);
  assert.equal(keys.length, 3);
  assert.ok(keys[0]);
  assert.equal(new Set(keys).size, 1);
});

test("a key of the caller's is kept, and two calls have two keys", async () => {
  const { client: c, requests } = client([done]);
  await c.mutate(KEYED, { input: { idempotencyKey: "mine" } });
  await c.mutate(KEYED, { input: {} });
  await c.mutate(KEYED, { input: {} });
  const [mine, second, third] = requests.map((request) => request.variables.input.idempotencyKey);
  assert.equal(mine, "mine");
  assert.notEqual(second, third);
});

test("each item of a batch has its key", async () => {
  const batch = "mutation ($input: BookSessionsInput!) { bookSessions(input: $input) { userErrors { code message } } }";
  const { client: c, requests } = client([json({ data: { bookSessions: { userErrors: [] } } })]);
  await c.mutate(batch, { input: { items: [{}, { idempotencyKey: "mine" }] } });
  const [first, second] = requests[0].variables.input.items;
  assert.ok(first.idempotencyKey);
  assert.equal(second.idempotencyKey, "mine");
});

test("a mutation without a key is not sent again, for it may have taken place", async () => {
  const { client: c, requests } = client([broken, done]);
  const mutation = "mutation ($input: AddMemberInput!) { addMember(input: $input) { userErrors { code message } } }";
  await assert.rejects(c.mutate(mutation, { input: { name: "Ada" } }), { name: "RequestError", kind: "network" });
  assert.equal(requests.length, 1);
  assert.equal(requests[0].variables.input.idempotencyKey, undefined);
});

test("a refusal is an error of its own, with the payload", async () => {
  const payload = {
    session: null,
    userErrors: [{ code: "INSUFFICIENT_CREDITS", message: "3 credits are missing", field: ["credits"] }],
  };
  const { client: c, requests } = client([json({ data: { bookSession: payload } })]);
  await assert.rejects(c.mutate(KEYED, { input: {} }), (error) => {
    assert.ok(error instanceof RefusedError);
    assert.equal(error.code, "INSUFFICIENT_CREDITS");
    assert.equal(error.message, "3 credits are missing");
    assert.deepEqual(error.payload, payload);
    return true;
  });
  assert.equal(requests.length, 1);
});

test("errors of GraphQL have their code, and what was answered beside them", async () => {
  const errors = [
    { message: "this needs the permission READ_CREDIT_LOG", path: ["a"], extensions: { code: "FORBIDDEN" } },
  ];
  const { client: c } = client([json({ data: { a: null, b: 1 }, errors })]);
  await assert.rejects(c.query("{ a b }"), (error) => {
    assert.ok(error instanceof RequestError);
    assert.deepEqual(
      [error.kind, error.code, error.isTemporary, error.data],
      ["graphql", "FORBIDDEN", false, { a: null, b: 1 }],
    );
    return true;
  });
});

test("too many requests wait for as long as the server says", async () => {
  const errors = [{ message: "too many requests", extensions: { code: "RATE_LIMITED", retryAfterSeconds: 1 } }];
  const { client: c, requests } = client([json({ errors }, 429, { "retry-after": "1" }), json({ data: { a: 1 } })]);
  const started = Date.now();
  assert.deepEqual(await c.query("{ a }"), { a: 1 });
  assert.ok(Date.now() - started >= 990, `${Date.now() - started} ms`);
  assert.equal(requests.length, 2);
  // Longer than anybody waits at a page.
  const far = client([json({ errors: [{ message: "later", extensions: { retryAfterSeconds: 3600 } }] }, 429)]);
  await assert.rejects(far.client.query("{ a }"), { status: 429, retryAfterSeconds: 3600 });
  assert.equal(far.requests.length, 1);
});

test("a token that is refused is renewed once", async () => {
  const refused = json({ errors: [{ message: "no", extensions: { code: "UNAUTHENTICATED" } }] }, 401);
  const { client: c, requests } = client([refused, json({ data: { a: 1 } })]);
  await c.query("{ a }");
  assert.deepEqual(
    requests.map((request) => request.headers.authorization),
    ["Bearer token-1", "Bearer token-2"],
  );
  const ever = client([refused]);
  await assert.rejects(ever.client.query("{ a }"), { kind: "unauthenticated" });
  assert.equal(ever.requests.length, 2);
});

test("what takes too long is a timeout, and what the caller ends is aborted", async () => {
  const { client: c, requests } = client([never], { timeout: 50 });
  await assert.rejects(c.query("{ a }", {}, { retry: false }), { kind: "timeout" });
  const ending = new AbortController();
  setTimeout(() => ending.abort(), 20);
  await assert.rejects(c.query("{ a }", {}, { signal: ending.signal, timeout: 5_000 }), { kind: "aborted" });
  assert.equal(requests.length, 2);
});

test("a client that was closed does nothing more", async () => {
  const { client: c, requests } = client([done]);
  c.close();
  await assert.rejects(c.query("{ a }"), { kind: "closed" });
  assert.throws(() => c.live("subscription { a }"), { kind: "closed" });
  assert.equal(requests.length, 0);
});

test("documents are texts with their fragments once", async () => {
  const { client: c, requests } = client([json({ data: {} })]);
  const fragment = graphql("fragment F on Balance @_unmask { posted }");
  const both = graphql("query { a { ...F } b { ...F } }", [fragment, fragment]);
  await c.query(both);
  assert.equal(requests[0].query, "query { a { ...F } b { ...F } }\nfragment F on Balance { posted }");
});

test("a subscription that has to end says so once, and to the error listeners", async () => {
  const errors = [{ message: "this needs the permission READ_CREDIT_LOG", extensions: { code: "FORBIDDEN" } }];
  const stream = () => new Response(`event: next\ndata: ${JSON.stringify({ errors })}\n\nevent: complete\ndata: \n\n`);
  const { client: c } = client([stream], { WebSocket: null });
  const told = [];
  c.onError((error) => told.push(error.code));
  const live = c.live("subscription ($after: LiveCursor) { a }");
  await assert.rejects(live.next(), { kind: "graphql", code: "FORBIDDEN" });
  assert.deepEqual(await live.next(), { value: undefined, done: true });
  assert.deepEqual(told, ["FORBIDDEN"]);
  assert.equal(live.status.get(), "stopped");
  assert.equal(c.status.get(), "idle");
});

test("a reader that is slow is waited for: what it has not taken is left with the server", async () => {
  let cursor = 0;
  const opened = [];
  const fetch = async (_, { body, signal }) => {
    const { after } = JSON.parse(body).variables;
    opened.push(after);
    cursor = after ?? 0;
    let isOver = false;
    signal.addEventListener("abort", () => (isOver = true));
    return new Response(
      new ReadableStream({
        pull: (stream) => {
          if (isOver) return;
          cursor += 1;
          const data = { a: { signal: "ITEM", cursor } };
          stream.enqueue(new TextEncoder().encode(`event: next\ndata: ${JSON.stringify({ data })}\n\n`));
        },
      }),
    );
  };
  const c = createLedgerbell({ url: "http://here/graphql", token: () => "t", fetch, WebSocket: null });
  const live = c.live("subscription ($after: LiveCursor) { a { cursor signal } }");
  for (let number = 1; number <= 2_500; number += 1) {
    if (number === 1) await new Promise((resolve) => setTimeout(resolve, 200));
    const { value } = await live.next();
    assert.equal(value.cursor, number);
  }
  live.stop();
  assert.ok(opened.length >= 2, `${opened.length} streams`);
  assert.equal(opened[1], 1_000);
  c.close();
});
