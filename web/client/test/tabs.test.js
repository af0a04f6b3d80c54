// Tabs of one member, each a client of its own with Node's BroadcastChannel, and Web Locks of this file.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import WebSocket from "ws";

import { ENTRIES, Seen, Server } from "../../../tests/clients/server.js";
import { createLedgerbell } from "../dist/index.js";
import { Network } from "./network.js";
import { sleep, until } from "./waiting.js";

/** Web Locks as browsers have them, as far as tabs use them: exclusive, with `ifAvailable` and `steal`. */
class Locks {
  #held = new Map();
  #waiting = new Map();

  request(name, options, callback = options) {
    return new Promise((resolve, reject) => {
      const asked = { callback, resolve, reject };
      const holder = this.#held.get(name);
      if (options.steal && holder) {
        holder.reject(new DOMException("stolen", "AbortError"));
        this.#grant(name, asked);
      } else if (!holder) this.#grant(name, asked);
      else if (options.ifAvailable) void Promise.resolve(callback(null)).then(resolve);
      else this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), asked]);
    });
  }

  #grant(name, asked) {
    this.#held.set(name, asked);
    queueMicrotask(async () => {
      asked.resolve(await asked.callback({ name }));
      if (this.#held.get(name) !== asked) return;
      this.#held.delete(name);
      const next = this.#waiting.get(name)?.shift();
      if (next) this.#grant(name, next);
    });
  }
}

describe("tabs", () => {
  let server;
  before(async () => (server = await new Server().start()));
  const closing = [];
  after(async () => {
    for (const close of closing) close();
    await server.remove();
  });

  /** So many tabs on one network. */
  async function open(count, more = {}) {
    const network = await new Network().to(server);
    const locks = new Locks();
    // A channel whose tab is frozen neither hears nor says anything.
    const tabs = Array.from({ length: count }, () => {
      const tab = { isFrozen: false };
      class Channel extends BroadcastChannel {
        set onmessage(listener) {
          super.onmessage = (event) => !tab.isFrozen && listener(event);
        }
        postMessage(message) {
          if (!tab.isFrozen) super.postMessage(message);
        }
      }
      tab.client = createLedgerbell({
        url: network.endpoint,
        token: () => server.ownerToken,
        WebSocket,
        tabs: { locks, BroadcastChannel: Channel, patience: 500 },
        ...more,
      });
      return tab;
    });
    const close = () => {
      for (const { client } of tabs) client.close();
      network.close();
    };
    closing.push(close);
    return { network, tabs, close };
  }

  const sockets = (network) => [...network.open].filter((wire) => wire.isSocket).length;
  const live = (store) => until(() => store.getSnapshot().live === "live", "the store is live");

  test("ten tabs with a store each hold one socket, and show the same", async () => {
    const { network, tabs, close } = await open(10);
    const stores = tabs.map(({ client }) => client.account());
    for (const store of stores) store.subscribe(() => {});
    await Promise.all(stores.map(live));
    await server.post(5, { run: "ten" });
    const { sequence } = await server.present();
    const since = Date.now();
    await until(() => stores.every((store) => Number(store.getSnapshot().log[0].sequence) === sequence), "in each tab");
    console.log(`10 tabs: ${network.sockets} socket, in step after ${Date.now() - since} ms`);
    assert.equal(network.sockets, 1);
    close();
  });

  test("tabs that lead are closed or frozen, and the others miss nothing", async () => {
    const { network, tabs, close } = await open(4);
    const present = await server.present();
    const followed = [];
    for (const { client } of tabs) {
      const state = { seen: new Seen(present.sequence), live: client.live(ENTRIES, { after: present.cursor }) };
      void (async () => {
        for await (const message of state.live) {
          assert.notEqual(message.type, "readAgain");
          if (message.type === "event") state.seen.add(Number(message.event.entry.sequence));
        }
      })();
      followed.push(state);
      // The first to come leads.
      await until(() => state.live.status.get() === "live", "live");
    }
    const posting = server.post(300, { run: "tabs" });
    await followed[3].seen.reaches(present.sequence + 50);
    tabs[0].client.close();
    await followed[3].seen.reaches(present.sequence + 150);
    tabs[1].isFrozen = true;
    await posting;
    const last = present.sequence + 300;
    for (const at of [2, 3]) {
      await followed[at].seen.reaches(last, 20);
      followed[at].seen.check(last, `tab ${at + 1}, whose leaders were closed and frozen`);
    }
    // It wakes, has lost the lead, and follows.
    tabs[1].isFrozen = false;
    await followed[1].seen.reaches(last, 20);
    followed[1].seen.check(last, "the tab that was frozen");
    await until(() => sockets(network) === 1, "one socket again");
    close();
  });

  test("what a tab leaves behind is ended by the leader", async () => {
    const { network, tabs, close } = await open(2);
    const present = await server.present();
    const [first, second] = tabs.map(({ client }) => client.live(ENTRIES, { after: present.cursor }));
    await until(() => first.status.get() === "live" && second.status.get() === "live", "live");
    first.stop();
    second.stop();
    await until(() => sockets(network) === 0, "nothing is followed any more");
    const third = tabs[1].client.live(ENTRIES, { after: present.cursor });
    await until(() => third.status.get() === "live", "live");
    assert.equal(sockets(network), 1);
    tabs[1].client.close();
    await until(() => sockets(network) === 0, "nor by a tab that has gone", 10);
    close();
  });

  test("two members in one browser do not share, nor do opaque credentials", async () => {
    const tokens = [() => server.ownerToken, () => server.memberToken, () => server.apiKey, () => server.apiKey];
    const { network, tabs, close } = await open(4, { token: () => tokens.shift()() });
    const present = await server.present();
    for (const { client } of tabs) {
      const live = client.live(ENTRIES.replace("after: $after", `after: $after, accountId: "${server.accountId}"`), {
        after: present.cursor,
      });
      await until(() => live.status.get() === "live", "live");
    }
    await sleep(50);
    assert.equal(sockets(network), 4);
    close();
  });
});
