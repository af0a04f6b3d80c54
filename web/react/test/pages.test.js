// Tests components in a jsdom document, in StrictMode, against a running server.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { JSDOM, VirtualConsole } from "jsdom";

const { window } = new JSDOM("<!doctype html><html lang=en><title>Credits</title><body></body></html>", {
  url: "http://localhost/",
  pretendToBeVisual: true,
  virtualConsole: new VirtualConsole(),
});
const { document: page, location, history } = window;
Object.assign(globalThis, { window, document: page, location, history });
for (const name of [
  "Node",
  "Element",
  "HTMLElement",
  "HTMLInputElement",
  "HTMLButtonElement",
  "DocumentFragment",
  "MutationObserver",
  "CustomEvent",
  "NodeFilter",
])
  globalThis[name] = window[name];
for (const name of [
  "getComputedStyle",
  "addEventListener",
  "removeEventListener",
  "requestAnimationFrame",
  "cancelAnimationFrame",
])
  globalThis[name] = window[name].bind(window);
// jsdom has no layout, so no element is ever resized.
globalThis.ResizeObserver = class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
globalThis.navigator ??= window.navigator;

const { createElement: h, StrictMode } = await import("react");
const { createRoot, hydrateRoot } = await import("react-dom/client");
const { renderToString } = await import("react-dom/server");
const { default: axe } = await import("axe-core");
const { default: WebSocket } = await import("ws");
const { createLedgerbell } = await import("@ledgerbell/client");
const { Balance, Bell, BuyCredits, CreditLog, Inbox, LedgerbellProvider, NotificationSettings, TopUps } =
  await import("../dist/index.js");
const { Server } = await import("../../../tests/clients/server.js");
const { Network } = await import("../../client/test/network.js");
const { sleep, until } = await import("../../client/test/waiting.js");

const TEST = "mutation { sendTestNotification(input: { channel: IN_APP }) { alert { id } userErrors { message } } }";

describe("pages", () => {
  let server;
  const closing = [];
  const complaints = [];
  before(async () => {
    console.error = (...words) => complaints.push(words.join(" "));
    server = await new Server().start();
  });
  afterEach(() => closing.splice(0).forEach((close) => close()));
  after(() => server.remove());

  /** Opens a page with these components. */
  async function show(children, { locale = "en", html, ...more } = {}) {
    const network = await new Network().to(server);
    const client = createLedgerbell({ url: network.endpoint, token: () => server.ownerToken, WebSocket, ...more });
    const place = document.createElement("main");
    document.body.append(place);
    const page = h(StrictMode, null, h(LedgerbellProvider, { client, locale }, children));
    let root;
    if (html) {
      place.innerHTML = renderToString(page);
      root = hydrateRoot(place, page);
    } else {
      root = createRoot(place);
      root.render(page);
    }
    const close = () => {
      root.unmount();
      place.remove();
      history.replaceState(null, "", "/");
      client.close();
      network.close();
    };
    closing.push(close);
    const text = () => place.textContent;
    const button = (name) =>
      [...place.querySelectorAll("button")].find((button) =>
        (button.getAttribute("aria-label") ?? button.textContent).startsWith(name),
      );
    return { place, client, network, text, button };
  }

  const raise = async () => (await server.query(TEST, {}, server.ownerToken)).sendTestNotification.alert.id;
  const press = (element) => element.dispatchEvent(new window.MouseEvent("click", { bubbles: true }));
  const type = (input, value) => {
    const { set } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(input), "value");
    set.call(input, value);
    input.dispatchEvent(new window.Event(input.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
  };

  async function isAccessible(place) {
    // jsdom has no layout: only a browser can check contrast.
    const { violations } = await axe.run(place, { rules: { "color-contrast": { enabled: false } } });
    assert.deepEqual(
      violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]),
      [],
    );
  }

  test("the balance is shown and moves, by one subscription in StrictMode", async () => {
    const { place, text, network, client } = await show([h(Balance, { key: 1 }), h(Balance, { key: 2 })]);
    await until(() => /Loading/.test(text()), "it says that it loads");
    await until(() => place.querySelectorAll("dd").length === 8, "both are shown");
    await until(() => client.status.get() === "live", "live");
    const before = text();
    await server.post(1, { run: "moves" });
    await until(() => text() !== before, "it moves");
    assert.equal(network.sockets, 1);
  });

  test("offline is said, and goes", async () => {
    const { place, text, network, client } = await show(h(Balance));
    await until(() => client.status.get() === "live", "live");
    await isAccessible(place);
    network.off();
    await until(() => /Offline/.test(text()), "it is said");
    assert.match(text(), /Available/);
    network.mode = "open";
    client.nudge();
    await until(() => !/Offline/.test(text()), "it goes");
  });

  test("a page that cannot be loaded says so, and is tried again", async () => {
    let isBroken = true;
    const failing = async (...request) => {
      if (!isBroken) return fetch(...request);
      const errors = [{ message: "not for you", extensions: { code: "FORBIDDEN" } }];
      return new Response(JSON.stringify({ errors }));
    };
    const { place, text, button } = await show(h(Balance), { fetch: failing });
    await until(() => place.querySelector("[role=alert]"), "the failure");
    assert.match(text(), /not for you/);
    await isAccessible(place);
    isBroken = false;
    press(button("Try again"));
    await until(() => place.querySelector("dl") && !place.querySelector("[role=alert]"), "it is shown");
  });

  test("the bell counts, opens the inbox, closes by Escape; alerts are read, filtered and archived", async () => {
    const alert = await raise();
    const { place, text, button } = await show(h(Bell));
    await until(() => place.querySelector(".lb-badge"), "the badge");
    const unread = () => Number(place.querySelector(".lb-badge")?.textContent ?? 0);
    const before = unread();
    assert.equal(button("Alerts").getAttribute("aria-label"), `Alerts, ${before} unread`);
    await raise();
    await until(() => unread() === before + 1, "one more, live");

    press(button("Alerts"));
    await until(() => place.querySelector("[role=dialog]"), "it is open");
    assert.equal(button("Alerts").getAttribute("aria-expanded"), "true");
    assert.equal(document.activeElement, place.querySelector("[role=dialog]"));
    await isAccessible(place);
    const items = () => [...place.querySelectorAll("li")];
    const count = items().length;
    press(items()[0].querySelectorAll("footer button")[0]);
    await until(() => unread() === before, "one is read");
    press(button("Unread"));
    await until(() => items().every((item) => item.className.includes("lb-unread")), "only unread ones");
    press(button("All"));
    await until(() => items().length === count, "all again");
    press([...items()[0].querySelectorAll("footer button")].at(-1));
    await until(() => items().length === count - 1, "one is archived");
    press(button("Mark all as read"));
    await until(() => unread() === 0, "all are read");
    assert.equal(button("Mark all").disabled, true);

    place
      .querySelector("[role=dialog]")
      .dispatchEvent(new window.KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    await until(() => !place.querySelector("[role=dialog]"), "it is closed");
    assert.equal(document.activeElement, button("Alerts"));
    assert.ok(alert && text() !== null);
  });

  test("a mark that is refused is taken back, with the reason", async () => {
    await raise();
    const refusing = async (url, init) => {
      if (!init.body.includes("archiveAlerts")) return fetch(url, init);
      await sleep(200);
      const refused = { userErrors: [{ code: "FORBIDDEN", message: "Only owners archive" }] };
      return new Response(JSON.stringify({ data: { archiveAlerts: refused } }));
    };
    const { place, text } = await show(h(Inbox), { fetch: refusing });
    await until(() => place.querySelector("li"), "alerts");
    const before = place.querySelectorAll("li").length;
    press([...place.querySelector("li").querySelectorAll("footer button")].at(-1));
    await until(() => place.querySelectorAll("li").length === before - 1, "it is gone");
    await until(() => place.querySelectorAll("li").length === before, "it is back");
    await until(() => /Only owners archive/.test(text()), "the reason");
  });

  test("a switch that is refused is taken back, with the reason", async () => {
    const refusing = async (url, init) => {
      if (!init.body.includes("updateNotificationSettings")) return fetch(url, init);
      await sleep(200);
      const refused = { userErrors: [{ code: "PREFERENCE_LOCKED", message: "It stays on" }] };
      return new Response(JSON.stringify({ data: { updateNotificationSettings: refused } }));
    };
    const { place, text } = await show(h(NotificationSettings), { fetch: refusing });
    await until(() => place.querySelector("table input:not(:disabled)"), "the switches");
    const first = () => place.querySelector("table input:not(:disabled)");
    const before = first().checked;
    press(first());
    await until(() => first().checked !== before, "at once");
    await until(() => first().checked === before && /It stays on/.test(text()), "taken back, and why");
  });

  test("credits that are bought again after a lost connection are bought once", async () => {
    const keys = [];
    let isLost = true;
    const losing = async (url, init) => {
      if (!init.body.includes("createTopUp")) return fetch(url, init);
      const { idempotencyKey } = JSON.parse(init.body).variables.input;
      keys.push(idempotencyKey);
      const response = await fetch(url, init);
      if (isLost) throw new TypeError("the connection was reset");
      return response;
    };
    const { place, text, button } = await show([h(BuyCredits, { key: 1, amounts: [77] })], { fetch: losing });
    await until(() => button("Buy 77") && !button("Buy 77").disabled, "the price");
    press(button("Buy 77"));
    await until(() => /connection was reset/.test(text()), "it failed", 40);
    isLost = false;
    press(button("Buy 77"));
    await until(() => /Paid/.test(text()), "it was bought, and its line is posted");
    assert.equal(new Set(keys).size, 1);
    const read = "{ account { topUps(first: 20) { nodes { credits } } } }";
    const { nodes } = (await server.query(read, {}, server.ownerToken)).account.topUps;
    assert.equal(nodes.filter(({ credits }) => credits === "77").length, 1);
  });

  test("a member without these rights sees neither top-ups nor a form to buy", async () => {
    const { place } = await show([h(Balance, { key: 1 }), h(TopUps, { key: 2 }), h(BuyCredits, { key: 3 })], {
      token: () => server.memberToken,
    });
    await until(() => place.querySelector(".lb-available"), "the balance");
    await until(() => place.querySelectorAll("section").length === 1, "nothing else");
  });

  test("the log is listed, filtered, goes on live, and has older pages and totals that agree with the server's", async () => {
    const { place, text, button, client } = await show(h(CreditLog, { pageSize: 10 }));
    const rows = () => place.querySelectorAll("tbody tr").length;
    await until(() => rows() === 10, "a page");
    await isAccessible(place);
    press(button("Show older entries"));
    await until(() => rows() === 20, "two pages");
    const total = () => Number(/([\d,]+) entries/.exec(text())?.[1].replace(",", ""));
    const before = total();
    await until(() => client.status.get() === "live", "live");
    await server.post(3, { run: "listed" });
    await until(() => rows() === 23 && total() === before + 3, "three more lines");
    const { account } = await server.query("{ account { creditLog { totals { count } } } }", {}, server.ownerToken);
    assert.equal(total(), Number(account.creditLog.totals.count));

    type(place.querySelector("input"), "german");
    await until(() => total() < before && /German/.test(text()), "those of a search");
    assert.ok([...place.querySelectorAll("tbody tr")].every((row) => /German/.test(row.textContent)));
    const searched = total();
    await until(() => client.status.get() === "live", "live again");
    await server.post(1, { run: "not german" });
    const german = { accountId: server.accountId, amount: "1", description: "German book", idempotencyKey: "german" };
    const adjust = "mutation ($input: AdjustCreditsInput!) { adjustCredits(input: $input) { userErrors { message } } }";
    await server.query(adjust, { input: german });
    await until(() => /German book/.test(text()), "what the filter lists");
    assert.equal(total(), searched + 1, "what it does not list is not shown");
    press(button("Filters"));
    await until(() => place.querySelector("select"), "all filters");
    type(place.querySelector("select"), "ADDED");
    await until(() => place.querySelectorAll("tr.lb-minus").length === 0, "only added");
    type(place.querySelector("input"), "nothing is called this");
    await until(() => /No entries/.test(text()), "empty");
    await isAccessible(place);
  });

  test("a page that a server has rendered is taken over, in German", async () => {
    const { place, text } = await show([h(Bell, { key: 1 }), h(Balance, { key: 2 }), h(CreditLog, { key: 3 })], {
      locale: "de",
      html: true,
    });
    await until(() => /Verfügbar/.test(text()) && place.querySelector("tbody"), "it is live");
    assert.match(text(), /Guthabenverlauf/);
  });

  test("React had nothing to complain of", () => assert.deepEqual(complaints, []));
});
