// React pages on Apollo Client and on urql with Graphcache, in a document of jsdom: a cached list that was away loses no row, a
// colleague's inbox does not change one's own, and one query serves owners and members.
import assert from "node:assert/strict";
import { JSDOM } from "jsdom";

const { window } = new JSDOM("<!doctype html><div id=page></div>", { url: "http://localhost/" });
Object.assign(globalThis, { window, document: window.document, Node: window.Node, HTMLElement: window.HTMLElement });
// Node.js has one of its own from version 21 on, which cannot be assigned.
globalThis.navigator ??= window.navigator;

const React = await import("react");
const { createRoot } = await import("react-dom/client");
const { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } = await import("@apollo/client");
const apolloReact = await import("@apollo/client/react");
const { GraphQLWsLink } = await import("@apollo/client/link/subscriptions");
const { OperationTypeNode } = await import("graphql");
const urql = await import("urql");
const { cacheExchange } = await import("@urql/exchange-graphcache");
const { createClient } = await import("graphql-ws");
const { default: WebSocket } = await import("ws");
const { typePolicies } = await import("../../docs/clients/apollo.js");
const { keys } = await import("../../docs/clients/urql.js");
const { Server } = await import("./server.js");

const h = React.createElement;
const LOG = `query Log { account { id creditLog(first: 5) { liveCursor nodes { id sequence amount } } } }`;
const HEADER = `query Header { account { id liveCursor balance { id version available } } }`;
const ENTRY = `subscription Entry($after: LiveCursor) {
  creditEntryPosted(after: $after) { cursor signal entry { id sequence amount } } }`;
const INBOX = `query Inbox($id: ID!) { node(id: $id) { id ... on Member {
  alerts(first: 5) { items { id readAt alert { id kind } } nodes { id readAt } } } } }`;
const READ = `mutation Read($input: MarkAlertsReadInput!) { markAlertsRead(input: $input) { items { id readAt } userErrors { code } } }`;
const PAGE = `query Page { viewer { permissions member { id role } } account { id name topUps(first: 3) { nodes { id } }
  paymentMethods { id } apiKeys { id } members { nodes { id contact { id email } } } troubleshooting { id } creditLog(first: 3) { nodes { id } } } }`;

/** Waits until something is so. */
async function until(what, holds, seconds = 30) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    const value = await holds();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not within ${seconds} s: ${what}`);
}

const rows = () => [...document.querySelectorAll("li")].map((row) => Number(row.textContent));

const libraries = {
  Apollo: (server, token) => {
    const headers = { authorization: `Bearer ${token}` };
    const socket = createClient({ url: server.socketEndpoint, webSocketImpl: WebSocket, connectionParams: headers });
    const link = ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      new HttpLink({ uri: server.endpoint, headers }),
    );
    const client = new ApolloClient({ cache: new InMemoryCache({ typePolicies }), link });
    const List = () => {
      const { data } = apolloReact.useQuery(gql(LOG));
      return data ? h(ApolloRows, { log: data.account.creditLog }) : "…";
    };
    const ApolloRows = ({ log }) => {
      const [after] = React.useState(log.liveCursor);
      apolloReact.useSubscription(gql(ENTRY), {
        variables: { after },
        onData: ({ data: { data } }) => {
          const { cursor, entry } = data.creditEntryPosted;
          client.cache.updateQuery({ query: gql(LOG) }, ({ account }) => {
            const nodes = entry ? [entry, ...account.creditLog.nodes] : account.creditLog.nodes;
            return { account: { ...account, creditLog: { ...account.creditLog, liveCursor: cursor, nodes } } };
          });
        },
      });
      return h("ul", null, log.nodes.map((entry) => h("li", { key: entry.id }, entry.sequence)));
    };
    return {
      list: h(apolloReact.ApolloProvider, { client }, h(List)),
      query: async (query, variables) => (await client.query({ query: gql(query), variables, fetchPolicy: "network-only" })).data,
      cached: (query, variables) => client.readQuery({ query: gql(query), variables }),
      mutate: async (query, variables) => (await client.mutate({ mutation: gql(query), variables })).data,
      close: () => (client.stop(), socket.dispose()),
    };
  },
  urql: (server, token) => {
    const headers = { authorization: `Bearer ${token}` };
    const socket = createClient({ url: server.socketEndpoint, webSocketImpl: WebSocket, connectionParams: headers });
    const posted = ({ creditEntryPosted: { cursor, entry } }, _args, cache) =>
      cache.updateQuery({ query: LOG }, (data) => {
        if (!data) return data;
        const { creditLog } = data.account;
        const nodes = entry ? [entry, ...creditLog.nodes] : creditLog.nodes;
        return { ...data, account: { ...data.account, creditLog: { ...creditLog, liveCursor: cursor, nodes } } };
      });
    const client = new urql.Client({
      url: server.endpoint,
      preferGetMethod: false,
      fetchOptions: { headers },
      exchanges: [
        cacheExchange({ keys, updates: { Subscription: { creditEntryPosted: posted } } }),
        urql.subscriptionExchange({
          forwardSubscription: (request) => ({
            subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...request, query: request.query ?? "" }, sink) }),
          }),
        }),
        urql.fetchExchange,
      ],
    });
    const List = () => {
      const [{ data }] = urql.useQuery({ query: LOG });
      return data ? h(UrqlRows, { log: data.account.creditLog }) : "…";
    };
    const UrqlRows = ({ log }) => {
      const [after] = React.useState(log.liveCursor);
      urql.useSubscription({ query: ENTRY, variables: { after } });
      return h("ul", null, log.nodes.map((entry) => h("li", { key: entry.id }, entry.sequence)));
    };
    const given = ({ data, error }) => {
      if (error) throw error;
      return data;
    };
    return {
      list: h(urql.Provider, { value: client }, h(List)),
      query: async (query, variables) => given(await client.query(query, variables, { requestPolicy: "network-only" }).toPromise()),
      cached: (query, variables) => client.readQuery(query, variables)?.data,
      mutate: async (query, variables) => given(await client.mutation(query, variables).toPromise()),
      close: () => socket.dispose(),
    };
  },
};

/** The log is shown, left, and shown again from the cache after something was posted and the header was read. */
async function losesNoRow(name, server, page) {
  const root = createRoot(document.getElementById("page"));
  root.render(page.list);
  const first = await until(`${name}: the list`, () => rows().length === 5 && rows());
  await server.post(1, { run: `${name}, watched` });
  await until(`${name}: a row while it is watched`, () => rows()[0] === first[0] + 1);
  root.render(h("p", null, "away"));
  await until(`${name}: away`, () => rows().length === 0);
  await server.post(2, { run: `${name}, away` });
  const { account } = await page.query(HEADER, {});
  assert.ok(account.liveCursor);
  root.render(page.list);
  await until(`${name}: the cached list`, () => rows().length > 0);
  await server.post(1, { run: `${name}, back` });
  await until(`${name}: what comes after`, () => rows()[0] === first[0] + 4);
  const expected = [4, 3, 2, 1, 0, -1, -2, -3, -4].map((step) => first[0] + step);
  assert.deepEqual(rows(), expected, `${name}: every row once`);
  root.unmount();
  console.log(`${name}: no row lost`);
}

async function keepsInboxesApart(name, page, own, colleague) {
  const alerts = async (id) => (await page.query(INBOX, { id })).node.alerts;
  // Both have this one: the colleague is new, and does not have what was raised before.
  const isNew = (item) => item.alert.kind === "ACCOUNT_FROZEN" && !item.readAt;
  const mine = await until(`${name}: an alert`, async () => (await alerts(own)).items.find(isNew));
  const { markAlertsRead } = await page.mutate(READ, { input: { alertIds: [mine.alert.id] } });
  assert.deepEqual(markAlertsRead.userErrors, []);
  const [{ readAt }] = markAlertsRead.items;
  assert.ok(readAt);
  await alerts(own);
  const theirs = (await alerts(colleague)).items.find((item) => item.alert.id === mine.alert.id);
  assert.equal(theirs.readAt, null, `${name}: the colleague has not read it`);
  const cached = page.cached(INBOX, { id: own }).node.alerts;
  assert.equal(cached.items.find((item) => item.id === mine.id).readAt, readAt, `${name}: one's own item is still read`);
  assert.equal(cached.nodes.find((node) => node.id === mine.alert.id).readAt, readAt, `${name}: and so is the alert`);
  console.log(`${name}: two inboxes, one alert`);
}

/** Every type without an id is listed as one that belongs to its parent. */
async function listsAllEmbeddedTypes(server) {
  const { __schema } = await server.query("{ __schema { types { kind name fields { name } } } }");
  const isEmbedded = ({ kind, name, fields }) =>
    kind === "OBJECT" && !/^__|^(Query|Mutation|Subscription)$|Payload$/.test(name) && !fields.some((field) => field.name === "id");
  const missing = __schema.types.filter(isEmbedded).map(({ name }) => name).filter((name) => !(name in keys));
  assert.deepEqual(missing, [], "docs/clients/urql.js lists them");
}

const server = await new Server().start();
try {
  await listsAllEmbeddedTypes(server);
  const { addMember } = await server.query(
    "mutation ($input: AddMemberInput!) { addMember(input: $input) { member { id } userErrors { message } } }",
    { input: { accountId: server.accountId, name: "Ada", role: "ADMIN" } },
  );
  const { viewer } = await server.query("{ viewer { member { id } } }", {}, server.ownerToken);
  for (const [name, library] of Object.entries(libraries)) {
    const owner = library(server, server.ownerToken);
    const member = library(server, server.memberToken);
    await losesNoRow(name, server, owner);
    const change = (mutation, type) =>
      `mutation ($input: ${type}!) { ${mutation}(input: $input) { userErrors { message } } }`;
    await server.query(change("freezeAccount", "FreezeAccountInput"), { input: { accountId: server.accountId, reason: "A test" } });
    await keepsInboxesApart(name, owner, viewer.member.id, addMember.member.id);
    await server.query(change("unfreezeAccount", "UnfreezeAccountInput"), { input: { accountId: server.accountId } });
    const seenByOwner = await owner.query(PAGE, {});
    const seenByMember = await member.query(PAGE, {});
    for (const field of ["topUps", "paymentMethods", "apiKeys", "members", "troubleshooting"]) {
      assert.notEqual(seenByOwner.account[field], null, `${name}: an owner sees ${field}`);
      assert.equal(seenByMember.account[field], null, `${name}: a member does not see ${field}`);
    }
    assert.ok(seenByMember.account.creditLog.nodes && seenByMember.viewer.permissions.length > 0);
    console.log(`${name}: one query for owners and members`);
    owner.close();
    member.close();
  }
} finally {
  await server.remove();
}
process.exit(0);
