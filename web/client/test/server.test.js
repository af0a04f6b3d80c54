// The client against a running server that is killed, and a network that fails.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import WebSocket from "ws";

import { ENTRIES, Seen, Server } from "../../../tests/clients/server.js";
import { createLedgerbell } from "../dist/index.js";
import { Network } from "./network.js";
import { is, sleep, until } from "./waiting.js";

/** Follows the log, and notes each entry. */
function follow(client, present) {
  const seen = new Seen(present.sequence);
  const live = client.live(ENTRIES, { after: present.cursor });
  const state = { seen, live, again: 0, caughtUp: 0 };
  state.ended = (async () => {
    for await (const message of live) {
      if (message.type === "event") seen.add(Number(message.event.entry.sequence));
      else if (message.type === "readAgain") state.again += 1;
      else state.caughtUp += 1;
    }
  })();
  state.ended.catch(() => {});
  return state;
}

describe("one server", { concurrency: true }, () => {
  let server;
  before(async () => (server = await new Server().start()));
  const closing = [];
  after(async () => {
    // Also those of tests that failed, or the process would go on.
    for (const close of closing) close();
    await server.remove();
  });

  /** A client whose way to the server is the test's. */
  async function connected(more = {}) {
    const network = await new Network().to(server);
    const client = createLedgerbell({ url: network.endpoint, token: () => server.ownerToken, WebSocket, ...more });
    const errors = [];
    client.onError((error) => errors.push(error));
    const close = () => {
      client.close();
      network.close();
    };
    closing.push(close);
    return { network, client, errors, close };
  }

  test("a booking that got no answer is booked once", async () => {
    let isLost = true;
    const losing = async (...request) => {
      const response = await fetch(...request);
      if (!isLost) return response;
      isLost = false;
      await response.text();
      throw new TypeError("the connection was reset");
    };
    const client = createLedgerbell({ url: server.endpoint, token: () => server.apiKey, fetch: losing });
    const log =
      'query ($id: ID!) { account(id: $id) { creditLog(filter: { search: "once-only" }) { nodes { amount } } } }';
    const { grantCredits } = await client.mutate(
      "mutation ($input: GrantCreditsInput!) { grantCredits(input: $input) { balance { posted } userErrors { code message } } }",
      { input: { accountId: server.accountId, credits: "3", description: "Once-only" } },
    );
    assert.ok(grantCredits.balance);
    const { account } = await client.query(log, { id: server.accountId });
    assert.deepEqual(account.creditLog.nodes, [{ amount: "3" }]);
    await assert.rejects(
      client.mutate(
        "mutation ($input: GrantCreditsInput!) { grantCredits(input: $input) { userErrors { code message field } } }",
        { input: { accountId: server.accountId, credits: "-1", description: "nothing" } },
      ),
      { name: "RefusedError", code: "VALIDATION" },
    );
    client.close();
  });

  test("a token that the platform has made signs a page in, and is renewed", async () => {
    const platform = createLedgerbell({ url: server.endpoint, token: () => server.apiKey });
    const members = await platform.query("query ($id: ID!) { account(id: $id) { members { nodes { id name } } } }", {
      id: server.accountId,
    });
    const [member] = members.account.members.nodes;
    const make = `mutation ($input: CreateMemberTokenInput!) {
      createMemberToken(input: $input) { token expiresAt userErrors { code message } }
    }`;
    let made = 0;
    const token = async () => {
      made += 1;
      const input = { memberId: member.id, expiresInSeconds: 3 };
      return (await platform.mutate(make, { input })).createMemberToken.token;
    };
    const { client, errors, close } = await connected({ token });
    const { viewer } = await client.query("{ viewer { member { name } } }");
    assert.equal(viewer.member.name, member.name);
    follow(client, await server.present());
    await until(() => made >= 3 && client.status.get() === "live", "three tokens");
    assert.deepEqual(errors, []);
    await assert.rejects(platform.mutate(make, { input: { memberId: member.id, expiresInSeconds: 7_200 } }), {
      name: "RefusedError",
      code: "VALIDATION",
    });
    platform.close();
    close();
  });

  test("after 75 seconds offline it is live within 6", async () => {
    const { client, network, close } = await connected();
    const present = await server.present();
    const state = follow(client, present);
    await is(client, "live");
    network.off();
    await is(client, "offline");
    await sleep(75_000);
    assert.equal(client.status.get(), "offline");
    const { sequence } = await server.present();
    network.mode = "open";
    const back = Date.now();
    await is(client, "live", 6);
    console.log(`75 s offline: live after ${Date.now() - back} ms`);
    await state.seen.reaches(sequence, 2);
    state.live.stop();
    await state.ended;
    close();
  });

  test("offline and back online is live at once, by the browser's event", async () => {
    const network = await new Network().to(server);
    // As a page has it, while this client is made.
    let online;
    globalThis.addEventListener = (name, listener) => name === "online" && (online = listener);
    const client = createLedgerbell({ url: network.endpoint, token: () => server.ownerToken, WebSocket });
    delete globalThis.addEventListener;
    const close = () => {
      client.close();
      network.close();
    };
    closing.push(close);
    follow(client, await server.present());
    await is(client, "live");
    network.off();
    // The third pause has begun: it lasts a second or so.
    await is(client, "offline");
    await sleep(2_500);
    network.mode = "open";
    online();
    const back = Date.now();
    await is(client, "live", 1);
    console.log(`nudged: live after ${Date.now() - back} ms`);
    close();
  });

  test("a connection on which nothing arrives any more is replaced within 20 seconds", async () => {
    const { client, network, errors, close } = await connected();
    const present = await server.present();
    const state = follow(client, present);
    await is(client, "live");
    network.mode = "hole";
    const since = Date.now();
    await until(() => errors.length > 0, "the hole is seen");
    const seen = Date.now() - since;
    console.log(`black hole: seen after ${seen} ms`);
    assert.ok(seen <= 20_000);
    assert.match(errors[0].message, /silent/);
    // A connection that does not come about is not waited for either.
    await until(() => errors.length > 1, "connecting in vain is seen");
    network.mode = "open";
    await is(client, "live");
    await state.seen.reaches((await server.present()).sequence);
    close();
  });

  test("a token is renewed before the server closes the socket for it", async () => {
    let tokens = 0;
    const token = () => {
      tokens += 1;
      return server.token(3);
    };
    const { client, network, errors, close } = await connected({ token });
    const state = follow(client, await server.present());
    await until(() => tokens >= 4 && network.sockets >= 4 && client.status.get() === "live", "four tokens");
    await state.seen.reaches((await server.present()).sequence);
    console.log(`${tokens} tokens of 3 s, ${network.sockets} sockets`);
    assert.deepEqual(errors, []);
    close();
  });

  test("a token that has ended is replaced by the next", async () => {
    const tokens = [await server.token(-60)];
    const { client, errors, close } = await connected({ token: () => tokens.shift() ?? server.ownerToken });
    follow(client, await server.present());
    await is(client, "live");
    assert.deepEqual(
      errors.map((error) => error.kind),
      ["unauthenticated"],
    );
    close();
  });

  test("a caller who is not let in is told so after three tries", async () => {
    const { client, close } = await connected({ token: () => "lb_nobody" });
    const state = follow(client, await server.present());
    await assert.rejects(state.ended, { kind: "unauthenticated" });
    assert.equal(client.status.get(), "idle");
    close();
  });

  test("a network without sockets gets event streams, and loses nothing over cuts", async () => {
    const { client, network, close } = await connected();
    network.mode = "plain";
    const present = await server.present();
    const state = follow(client, present);
    await is(client, "live");
    for (let cut = 1; cut <= 3; cut += 1) {
      await server.post(20, { run: `plain-${cut}` });
      await state.seen.reaches((await server.present()).sequence);
      network.cut();
    }
    await server.post(1, { run: "plain-last" });
    const { sequence } = await server.present();
    await state.seen.reaches(sequence);
    assert.equal(network.sockets, 0);
    state.live.stop();
    await state.ended;
    state.seen.check(state.seen.last, "event streams, 3 cuts");
    close();
  });

  test("without any WebSocket it is event streams from the beginning", async () => {
    const { client, network, errors, close } = await connected({ WebSocket: null });
    const state = follow(client, await server.present());
    await is(client, "live");
    await server.post(1, { run: "none" });
    await state.seen.reaches((await server.present()).sequence);
    assert.equal(network.sockets, 0);
    assert.deepEqual(errors, []);
    close();
  });

  test("many subscriptions share a socket, and end alone", async () => {
    const { client, network, close } = await connected();
    const present = await server.present();
    const states = Array.from({ length: 5 }, () => follow(client, present));
    await is(client, "live");
    for (const { live, ended } of states.slice(1)) {
      live.stop();
      await ended;
    }
    await server.post(1, { run: "shared" });
    await states[0].seen.reaches((await server.present()).sequence);
    assert.equal(network.sockets, 1);
    close();
  });

  test("stopping before the first answer is the end of it", async () => {
    const { client, network, close } = await connected({ token: () => sleep(100).then(() => server.ownerToken) });
    const state = follow(client, await server.present());
    state.live.stop();
    await state.ended;
    assert.equal(client.status.get(), "idle");
    await until(() => network.open.size === 0, "the connection is closed", 6);
    assert.equal(state.caughtUp, 0);
    close();
  });

  test("a cursor that is of no use, and a history that is too long, are answered by: read again", async () => {
    const { client, close } = await connected();
    const present = await server.present();
    await server.post(10, { run: "again" });
    const bounded = ENTRIES.replace("after: $after", "after: $after, replayAtMost: 5");
    const live = client.live(bounded, { after: present.cursor });
    assert.equal((await live.next()).value.type, "readAgain");
    await server.post(1, { run: "and on" });
    for await (const message of live) {
      if (message.type !== "event") continue;
      assert.ok(Number(message.event.entry.sequence) > present.sequence + 10);
      break;
    }
    assert.equal(live.status.get(), "stopped");
    close();
  });
});

test("a server that is killed and stopped under postings: every entry once and in order", async () => {
  const server = await new Server().start();
  try {
    const present = await server.present();
    const client = createLedgerbell({ url: server.endpoint, token: () => server.ownerToken, WebSocket });
    const state = follow(client, present);
    await is(client, "live");
    const posting = server.post(1_000, { run: "killed" });
    for (let time = 1; time <= 5; time += 1) {
      await state.seen.reaches(present.sequence + 160 * time);
      await server.kill(time === 3 ? "SIGTERM" : "SIGKILL");
      await server.start();
    }
    await posting;
    const last = present.sequence + 1_000;
    assert.equal((await server.present()).sequence, last);
    await state.seen.reaches(last);
    state.seen.check(last, "5 restarts under postings");
    assert.equal(state.again, 0);
    client.close();
    await state.ended;
  } finally {
    await server.remove();
  }
});
