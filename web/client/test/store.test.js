// Stores against a running server.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import WebSocket from "ws";

import { Server } from "../../../tests/clients/server.js";
import { createLedgerbell } from "../dist/index.js";
import { Network } from "./network.js";
import { is, sleep, until } from "./waiting.js";

const TEST =
  "mutation { sendTestNotification(input: { channel: IN_APP }) { alert { id } userErrors { code message } } }";

describe("stores of one server", () => {
  let server;
  before(async () => {
    // As many test alerts as the tests want.
    server = await new Server().start();
  });
  const closing = [];
  after(async () => {
    // Also those of tests that failed, or the process would go on.
    for (const close of closing) close();
    await server.remove();
  });

  async function connected(more = {}) {
    const network = await new Network().to(server);
    const requests = [];
    const counting = (url, init) => {
      requests.push(JSON.parse(init.body).query);
      return (more.fetch ?? fetch)(url, init);
    };
    const client = createLedgerbell({
      url: network.endpoint,
      token: () => server.ownerToken,
      WebSocket,
      ...more,
      fetch: counting,
    });
    const close = () => {
      client.close();
      network.close();
    };
    closing.push(close);
    return { network, client, requests, close };
  }

  /** Waits until the store is followed. */
  const live = (store) => until(() => store.getSnapshot().live === "live", "the store is live");
  const raise = async () => (await server.query(TEST, {}, server.ownerToken)).sendTestNotification.alert.id;

  test("a store shows the account, and what becomes of it", async () => {
    const { client, close } = await connected();
    const store = client.account();
    assert.equal(store.getSnapshot().phase, "loading");
    assert.equal(store.getSnapshot(), store.getSnapshot());
    const states = [];
    const leave = store.subscribe((state) => states.push(state));
    await live(store);
    const first = store.getSnapshot();
    assert.equal(first.phase, "ready");
    assert.ok(first.balance && first.log.length > 0 && first.account.name);
    await server.post(1, { run: "shown" });
    await until(() => store.getSnapshot().log[0].sequence !== first.log[0].sequence, "the line");
    await until(() => store.getSnapshot().balance.version !== first.balance.version, "the balance");
    const alert = await raise();
    await until(() => store.getSnapshot().inbox[0]?.alert.id === alert, "the alert");
    assert.equal(store.getSnapshot().unreadCount, first.unreadCount + 1);
    assert.equal(store.getSnapshot().log[1], first.log[0], "what has not changed stays the same object");
    assert.ok(states.length > 0 && states.at(-1) === store.getSnapshot());
    leave();
    close();
  });

  test("many listeners that come and go, as in StrictMode, have one subscription and one read", async () => {
    const { client, network, requests, close } = await connected();
    const store = client.account();
    assert.equal(client.account(), store);
    store.subscribe(() => {})();
    const leaves = Array.from({ length: 10 }, () => store.subscribe(() => {}));
    await live(store);
    assert.equal(requests.length, 1);
    assert.equal(network.sockets, 1);
    for (const leave of leaves) leave();
    // Somebody comes while the store lingers.
    await sleep(100);
    store.subscribe(() => {});
    await sleep(100);
    assert.equal(store.getSnapshot().live, "live");
    // It stops, and goes on from where it was, without another read.
    store.stop();
    assert.equal(store.getSnapshot().live, "stopped");
    const before = store.getSnapshot().log[0].sequence;
    await server.post(3, { run: "lingering" });
    store.subscribe(() => {});
    await until(() => Number(store.getSnapshot().log[0].sequence) === Number(before) + 3, "what happened meanwhile");
    assert.equal(requests.length, 1);
    close();
  });

  test("marks are shown at once, in other windows soon, and are taken back when refused", async () => {
    const alert = await raise();
    let refuses = false;
    const refusing = async (url, init) => {
      if (!refuses || !/markAlertsRead|archiveAlerts/.test(init.body)) return fetch(url, init);
      await sleep(50);
      const refused = { userErrors: [{ code: "FORBIDDEN", message: "no" }] };
      const name = init.body.includes("markAlertsRead") ? "markAlertsRead" : "archiveAlerts";
      return new Response(JSON.stringify({ data: { [name]: refused } }));
    };
    const one = await connected({ fetch: refusing });
    const other = await connected();
    const [store, elsewhere] = [one.client.account(), other.client.account()];
    for (const each of [store, elsewhere]) each.subscribe(() => {});
    await Promise.all([live(store), live(elsewhere)]);
    const item = (of) => of.getSnapshot().inbox.find((item) => item.alert.id === alert);
    const { unreadCount } = store.getSnapshot();

    refuses = true;
    const refused = store.markRead([alert]);
    assert.ok(item(store).readAt, "at once");
    assert.equal(store.getSnapshot().unreadCount, unreadCount - 1);
    await assert.rejects(refused, { name: "RefusedError", code: "FORBIDDEN" });
    assert.equal(item(store).readAt, null, "taken back");
    assert.equal(store.getSnapshot().unreadCount, unreadCount);
    const kept = store.archive([alert]);
    assert.equal(item(store), undefined);
    await assert.rejects(kept, { code: "FORBIDDEN" });
    assert.ok(item(store));

    refuses = false;
    const since = Date.now();
    const marked = store.markRead([alert]);
    await until(() => item(elsewhere)?.readAt, "read elsewhere");
    console.log(`another window: in step after ${Date.now() - since} ms`);
    assert.ok(Date.now() - since < 500);
    await marked;
    await until(() => elsewhere.getSnapshot().unreadCount === unreadCount - 1, "counted elsewhere");
    assert.equal(store.getSnapshot().unreadCount, unreadCount - 1);
    await store.archive([alert]);
    await until(() => !item(elsewhere), "archived elsewhere");
    await elsewhere.archive([alert], false);
    await until(() => item(store), "back again");
    await store.markAllRead();
    await until(() => elsewhere.getSnapshot().unreadCount === 0, "all read elsewhere");
    await until(() => elsewhere.getSnapshot().inbox.every((item) => item.readAt), "each read elsewhere");
    assert.ok(store.getSnapshot().inbox.every((item) => item.readAt));
    one.close();
    other.close();
  });

  test("1,500 lines that were missed are shown within 2 seconds, without a long task", async () => {
    const { client, network, close } = await connected();
    const store = client.account(null, { log: 3_000 });
    store.subscribe(() => {});
    await live(store);
    network.off();
    await until(() => store.getSnapshot().live === "offline", "offline");
    await server.post(1_500, { run: "missed", atOnce: 64 });
    const { sequence } = await server.present();
    await sleep(500);
    let longest = 0;
    let last = performance.now();
    const ticking = setInterval(() => {
      const now = performance.now();
      longest = Math.max(longest, now - last - 5);
      last = now;
    }, 5);
    network.mode = "open";
    client.nudge();
    const since = Date.now();
    await until(() => Number(store.getSnapshot().log[0].sequence) === sequence, "all lines");
    const took = Date.now() - since;
    clearInterval(ticking);
    console.log(`1,500 missed lines: shown after ${took} ms, longest task ${longest.toFixed(0)} ms`);
    assert.ok(took <= 2_000 && longest <= 100);
    const { log } = store.getSnapshot();
    log.forEach((line, at) => assert.equal(Number(line.sequence), sequence - at));
    assert.ok(log.length >= 1_500);
    close();
  });

  test("a read that fails is tried again, at the beginning and after: read again", async () => {
    let broken = 2;
    const failing = async (url, init) => {
      if (init.body.includes("LedgerbellAccount(") && broken > 0) {
        broken -= 1;
        throw new TypeError("fetch failed");
      }
      return fetch(url, init);
    };
    const member = "mutation ($input: AddMemberInput!) { addMember(input: $input) { member { id } } }";
    const role = "mutation ($input: UpdateMemberInput!) { updateMember(input: $input) { userErrors { message } } }";
    const added = await server.query(member, { input: { accountId: server.accountId, name: "Ada", role: "ADMIN" } });
    const { id } = added.addMember.member;
    const { client, requests, close } = await connected({ fetch: failing, token: () => server.token(600, id) });
    const store = client.account();
    store.subscribe(() => {});
    await live(store);
    const seen = store.getSnapshot();
    assert.equal(seen.error, null);
    const reads = requests.length;
    assert.ok(reads >= 3);
    // Other rights: what is shown is read again, which fails more often than one request is tried.
    broken = 5;
    await server.query(role, { input: { memberId: id, role: "MEMBER" } });
    await until(() => store.getSnapshot().error, "the failure is shown");
    assert.equal(store.getSnapshot().log, seen.log, "what was shown stays");
    await until(() => broken === 0 && !store.getSnapshot().error, "it is read");
    assert.ok(store.getSnapshot().log.length < seen.log.length, "their own lines alone");
    await raiseFor(id);
    await until(() => store.getSnapshot().inbox.some((item) => item.alert.kind === "TEST"), "it is followed");
    close();
  });

  const raiseFor = async (id) => server.query(TEST, {}, await server.token(60, id));

  test("an account that is not there is missing", async () => {
    const { client, close } = await connected();
    const store = client.account("acc_nothing");
    store.subscribe(() => {});
    await until(() => store.getSnapshot().phase === "missing", "missing");
    assert.equal(store.getSnapshot().live, "stopped");
    close();
  });

  test("an API key has a store without an inbox", async () => {
    const { client, close } = await connected({ token: () => server.apiKey });
    const store = client.account(server.accountId);
    store.subscribe(() => {});
    await live(store);
    assert.deepEqual(store.getSnapshot().inbox, []);
    assert.ok(store.getSnapshot().log.length > 0);
    close();
  });
});

test("a store of a server that is killed five times under postings and alerts equals the database", async () => {
  const server = await new Server().start();
  try {
    const client = createLedgerbell({ url: server.endpoint, token: () => server.ownerToken, WebSocket });
    const store = client.account(null, { log: 2_000, inbox: 100 });
    store.subscribe(() => {});
    await is(client, "live");
    const { sequence } = await server.present();
    const posting = server.post(600, { run: "killed" });
    for (let time = 1; time <= 5; time += 1) {
      const reached = sequence + 100 * time;
      await until(() => Number(store.getSnapshot().log[0].sequence) >= reached, `line ${reached}`, 60);
      await server.query(TEST, {}, server.ownerToken);
      await server.kill();
      await server.start();
    }
    await posting;
    const last = await server.present();
    assert.equal(last.sequence, sequence + 600);
    const shows = () => Number(store.getSnapshot().log[0].sequence) === last.sequence;
    await until(shows, "the last line");
    const read = `{ account { balance { version posted held available } creditLog(first: 100) { nodes { id } }
      alerts(first: 100) { unreadCount items { id readAt } } } }`;
    const { account } = await server.query(read, {}, server.ownerToken);
    await until(() => store.getSnapshot().inbox.length === account.alerts.items.length, "all alerts");
    const { balance, log, inbox, unreadCount } = store.getSnapshot();
    const { version, posted, held, available } = balance;
    assert.deepEqual({ version, posted, held, available }, account.balance);
    assert.deepEqual(
      log.slice(0, 100).map(({ id }) => id),
      account.creditLog.nodes.map(({ id }) => id),
    );
    assert.deepEqual(inbox.map(({ id }) => id).sort(), account.alerts.items.map(({ id }) => id).sort());
    assert.equal(unreadCount, account.alerts.unreadCount);
    log.forEach((line, at) => assert.equal(Number(line.sequence), last.sequence - at));
    assert.equal(new Set(log.map(({ id }) => id)).size, log.length);
    console.log(`5 kills under postings: the store equals the database, ${log.length} lines, ${inbox.length} alerts`);
    client.close();
  } finally {
    await server.remove();
  }
});
