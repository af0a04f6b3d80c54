// The page that browser tests open. Its address selects what it shows.
import { createLedgerbell } from "@ledgerbell/client";
import * as react from "@ledgerbell/react";
import { StrictMode, createElement as h } from "react";
import { createRoot } from "react-dom/client";

const parameters = new URLSearchParams(location.search);
const read = (name) => parameters.get(name) ?? undefined;

/** Answers requests for a log with this number of lines. */
function long(count) {
  const line = (at) => ({
    id: `entry-${at}`,
    sequence: String(count - at),
    occurredAt: new Date(Date.UTC(2026, 0, 1) - at * 60_000).toISOString(),
    kind: "SESSION",
    amount: "-1",
    balanceAfter: String(count - at),
    description: `Line ${at}`,
    actor: { kind: "MEMBER", label: "Ada" },
    member: null,
    session: null,
    topUp: null,
  });
  const totals = { count: String(count), added: "0", deducted: String(count), net: `-${count}` };
  return async (_, { body, signal }) => {
    const { query, variables } = JSON.parse(body);
    // A stream without any event.
    if (/subscription/.test(query)) return new Promise((_, reject) => signal.addEventListener("abort", reject));
    const from = Number(variables.after ?? 0);
    const to = Math.min(count, from + variables.first);
    const nodes = Array.from({ length: to - from }, (_, at) => line(from + at));
    const pageInfo = { hasNextPage: to < count, endCursor: String(to) };
    const creditLog = { liveCursor: "here", nodes, totals, pageInfo };
    return new Response(JSON.stringify({ data: { account: { creditLog } } }));
  };
}

/** Shows components by name, with a client of one member. */
function Account({ url, token, show, locale }) {
  const rows = Number(read("rows") ?? 0);
  // A token, or the address that returns one.
  const ask = () => (token.startsWith("http") ? fetch(token).then((response) => response.text()) : token);
  const client = createLedgerbell({ url, token: ask, ...(rows && { fetch: long(rows), WebSocket: null }) });
  (window.clients ??= []).push(client);
  const children = show.split(",").map((name) => h(react[name], { key: name, ...(rows && { pageSize: 100 }) }));
  return h(
    react.LedgerbellProvider,
    { client, locale, payments: window.stripe ?? "simulated" },
    h("div", { style: { display: "grid", gap: 16, minWidth: 0 } }, children),
  );
}

document.documentElement.dir = read("dir") ?? "ltr";
document.documentElement.style.colorScheme = read("theme") ?? "light";
const url = read("url");
// Created once, outside of StrictMode's two renders.
const accounts = parameters
  .getAll("token")
  .map((token) => Account({ url, token, show: read("show"), locale: read("locale") ?? "en" }));
createRoot(document.querySelector("main")).render(
  h(
    StrictMode,
    null,
    accounts.map((account, at) => h("div", { key: at, id: `account-${at}` }, account)),
  ),
);
