// The helper of examples/typescript/src/live.ts beneath plain graphql-ws, urql and Apollo Client: each shows a page, keeps it up to
// date while its connection is cut again and again, and reads it again when it is told to.
import assert from "node:assert/strict";
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { Client as Urql, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

import { keepUpToDate, resuming } from "../../examples/typescript/build/live.js";
import { ENTRIES, Network, Seen, Server } from "./server.js";

const PAGE = `query { account { liveCursor creditLog(first: 1) { nodes { sequence } } } }`;
const EVENTS = 300;
const CUTS = 5;

const server = await new Server().start();
const network = await new Network().to(server);
const socket = (headers) =>
  resuming(
    createClient({
      url: network.socketEndpoint,
      webSocketImpl: WebSocket,
      connectionParams: headers,
      retryAttempts: Infinity,
      retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
      shouldRetry: () => true,
    }),
  );

const fail = (error) => {
  console.error(error);
  process.exit(1);
};

const libraries = {
  "graphql-ws": (headers) => {
    const client = socket(headers);
    return {
      read: async () => (await server.query(PAGE, {}, headers.authorization.slice(7))).account,
      subscribe: (after, next) =>
        client.subscribe(
          { query: ENTRIES, variables: { after } },
          { next: ({ data }) => next(data.creditEntryPosted), error: fail, complete: () => {} },
        ),
      close: () => client.dispose(),
    };
  },
  urql: (headers) => {
    const client = socket(headers);
    const urql = new Urql({
      url: server.endpoint,
      preferGetMethod: false,
      fetchOptions: { headers },
      exchanges: [
        subscriptionExchange({
          forwardSubscription: (request) => ({
            subscribe: (sink) => ({ unsubscribe: client.subscribe({ ...request, query: request.query ?? "" }, sink) }),
          }),
        }),
        fetchExchange,
      ],
    });
    const given = ({ data, error }) => (error ? fail(error) : data);
    return {
      read: async () => given(await urql.query(PAGE, {}, { requestPolicy: "network-only" })).account,
      subscribe: (after, next) =>
        urql.subscription(ENTRIES, { after }).subscribe((result) => next(given(result).creditEntryPosted)).unsubscribe,
      close: () => client.dispose(),
    };
  },
  "Apollo Client": (headers) => {
    const client = socket(headers);
    const apollo = new ApolloClient({ cache: new InMemoryCache(), link: new HttpLink({ uri: server.endpoint, headers }) });
    const live = new ApolloClient({ cache: new InMemoryCache(), link: new GraphQLWsLink(client) });
    return {
      read: async () => (await apollo.query({ query: gql(PAGE), fetchPolicy: "no-cache" })).data.account,
      subscribe: (after, next) => {
        const events = live.subscribe({ query: gql(ENTRIES), variables: { after }, fetchPolicy: "no-cache" });
        const subscription = events.subscribe({
          next: ({ data, error }) => (error ? fail(error) : next(data.creditEntryPosted)),
          error: fail,
        });
        return () => subscription.unsubscribe();
      },
      close: () => client.dispose(),
    };
  },
};

/** A new member who sees the whole log, until they are told otherwise. */
async function admin() {
  const { addMember } = await server.query(
    "mutation ($input: AddMemberInput!) { addMember(input: $input) { member { id } userErrors { message } } }",
    { input: { accountId: server.accountId, name: "Ada", role: "ADMIN" } },
  );
  const { id } = addMember.member;
  return { id, headers: { authorization: `Bearer ${await server.token(600, id)}` } };
}

async function becomesPlainMember(memberId) {
  const { updateMember } = await server.query(
    "mutation ($input: UpdateMemberInput!) { updateMember(input: $input) { userErrors { message } } }",
    { input: { memberId, role: "MEMBER" } },
  );
  assert.deepEqual(updateMember.userErrors, []);
}

async function keepsAPageUpToDate(name, library) {
  const { id, headers } = await admin();
  const { read, subscribe, close } = library(headers);
  const pages = [];
  let seen;
  const shown = new Map();
  // Reads fail now and then, which is told and tried again.
  let broken = 1;
  const failures = [];
  const shownFirst = new Promise((resolve) => shown.set(1, resolve));
  const stop = keepUpToDate({
    read: async () => {
      if (broken-- > 0) throw new Error("a read that failed");
      return read();
    },
    subscribe,
    show: (page) => {
      pages.push(page);
      seen ??= new Seen(Number(page.creditLog.nodes[0].sequence));
      shown.get(pages.length)?.();
    },
    apply: (event) => seen.add(Number(event.entry.sequence)),
    failed: (reason) => failures.push(reason.message),
  });
  await shownFirst;
  const last = seen.last + EVENTS;
  const first = seen.last;
  const posting = server.post(EVENTS, { run: name });
  for (let cut = 1; cut <= CUTS; cut += 1) {
    await seen.reaches(first + Math.floor((EVENTS * cut) / (CUTS + 1)));
    network.cut();
  }
  await posting;
  await seen.reaches(last);
  seen.check(last, `${name}, ${CUTS} cuts`);
  assert.equal(pages.length, 1, "read once, whatever happened to the connection");
  // Other rights, another page. One more entry shows that it is connected.
  await server.post(1, { run: `${name}, one more` });
  await seen.reaches(last + 1);
  const again = new Promise((resolve, reject) => {
    shown.set(2, resolve);
    setTimeout(() => reject(new Error("the page was not read again")), 30_000).unref();
  });
  broken = 1;
  await becomesPlainMember(id);
  await again;
  assert.deepEqual(failures, ["a read that failed", "a read that failed"]);
  stop();
  const early = keepUpToDate({ read, subscribe: fail, show: fail, apply: fail, failed: fail });
  early();
  close();
}

try {
  for (const [name, library] of Object.entries(libraries)) await keepsAPageUpToDate(name, library);
} finally {
  network.close();
  await server.remove();
}
