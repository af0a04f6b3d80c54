// Relay's own runtime over a server: a list in pages, an object by its id, a mutation, and live entries across a kill of the server.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import relay from "relay-runtime";

import { createLedgerbell } from "../../web/client/dist/index.js";
import { until } from "../../web/client/test/waiting.js";
import { Server } from "../clients/server.js";

const require = createRequire(import.meta.url);
const artifact = (name) => require(`./artifacts/${name}.graphql.js`);
const Grant = artifact("CreditLogGrantMutation");
const Live = artifact("CreditLogLiveSubscription");
const Thing = artifact("CreditLogNodeQuery");
const Page = artifact("CreditLogPageQuery");
const NextPage = artifact("CreditLogPaginationQuery");
const List = artifact("CreditLog_account");

const { Environment, Network, Observable, RecordSource, Store } = relay;

let server;
let client;
let environment;

before(async () => {
  server = await new Server().start();
  client = createLedgerbell({ url: server.endpoint, token: () => server.apiKey, WebSocket: null });
  const fetch = async ({ operationKind, text }, variables) => ({
    data: await (operationKind === "mutation" ? client.mutate(text, variables) : client.query(text, variables)),
  });
  // The client keeps the cursor, and asks for what was missed while the server was away.
  const subscribe = ({ text }, variables) =>
    Observable.create((sink) => {
      const live = client.live(text, variables);
      const follow = async () => {
        for await (const { type, event } of live)
          if (type === "event") sink.next({ data: { creditEntryPosted: event } });
      };
      follow().then(sink.complete, sink.error);
      return () => live.stop();
    });
  environment = new Environment({
    network: Network.create(fetch, subscribe),
    store: new Store(new RecordSource()),
  });
});

after(async () => {
  client?.close();
  await server?.remove();
});

const ask = (query, variables) => relay.fetchQuery(environment, query, variables).toPromise();

/** What the page shows, from Relay's store alone. */
function shown() {
  const operation = relay.createOperationDescriptor(relay.getRequest(Page), { account: server.accountId });
  return environment.lookup(operation.fragment).data.account;
}

/** The log of the page as one list: its ids, newest first. */
function listed() {
  const { creditLog } = environment.lookup(relay.getSingularSelector(relay.getFragment(List), shown())).data;
  return { ...creditLog, ids: creditLog.edges.map(({ node }) => node.id) };
}

/** The newest ids as the API returns them. */
async function stored(first) {
  const query = "query ($id: ID!, $first: Int!) { account(id: $id) { creditLog(first: $first) { nodes { id } } } }";
  const { account } = await server.query(query, { id: server.accountId, first });
  return account.creditLog.nodes.map(({ id }) => id);
}

const connections = [];

test("pages become one list of Relay", async () => {
  await ask(Page, { account: server.accountId });
  // Kept by the store from here on.
  environment.retain(relay.createOperationDescriptor(relay.getRequest(Page), { account: server.accountId }));
  const { ids, pageInfo } = listed();
  assert.deepEqual(ids, await stored(20));
  assert.equal(pageInfo.hasNextPage, true);
  await ask(NextPage, { id: server.accountId, first: 20, after: pageInfo.endCursor });
  assert.deepEqual(listed().ids, await stored(40));
});

test("an object is found by its id", async () => {
  const [id] = listed().ids;
  const { node } = await ask(Thing, { id });
  assert.deepEqual([node.__typename, node.id], ["CreditEntry", id]);
});

test("a mutation's entry is put into the list, and the balance of the cache changes with it", async () => {
  connections.push(relay.ConnectionHandler.getConnectionID(server.accountId, "CreditLog_account_creditLog"));
  const input = { accountId: server.accountId, credits: "5", description: "By Relay", idempotencyKey: "relay" };
  const available = () => Number(shown().balance.available);
  const before = available();
  await new Promise((onCompleted, onError) => {
    relay.commitMutation(environment, { mutation: Grant, variables: { input, connections }, onCompleted, onError });
  });
  assert.equal((await stored(1))[0], listed().ids[0]);
  assert.equal(available(), before + 5);
});

test("entries are put into the list live, also those of the time while the server was away", async () => {
  const COUNT = 40;
  const failures = [];
  const subscription = relay.requestSubscription(environment, {
    subscription: Live,
    variables: { account: server.accountId, after: listed().liveCursor, connections },
    onError: (error) => failures.push(error),
  });
  const posting = server.post(COUNT, { run: "relay", atOnce: 2 });
  await server.kill();
  await server.start();
  await posting;
  const wanted = await stored(COUNT);
  await until(() => failures.length || listed().ids[0] === wanted[0], "the newest entry is in the list");
  subscription.dispose();
  const { ids } = listed();
  assert.deepEqual(failures, []);
  assert.deepEqual(ids.slice(0, COUNT), wanted);
  assert.equal(new Set(ids).size, ids.length, "each entry once");
});
