// The page that browser tests open. Its address says what is on it.
import { createLedgerbell } from "@ledgerbell/client";
import * as react from "@ledgerbell/react";
import { StrictMode, createElement as h } from "react";
import { createRoot } from "react-dom/client";

const parameters = new URLSearchParams(location.search);
const read = (name) => parameters.get(name) ?? undefined;

/** Components by their names, beneath a client of one member. */
function Account({ url, token, show, locale }) {
  const client = createLedgerbell({ url, token: () => token });
  (window.clients ??= []).push(client);
  const children = show.split(",").map((name) => h(react[name], { key: name }));
  return h(
    react.LedgerbellProvider,
    { client, locale, payments: "simulated" },
    h("div", { style: { display: "grid", gap: 16, minWidth: 0 } }, children),
  );
}

document.documentElement.dir = read("dir") ?? "ltr";
document.documentElement.style.colorScheme = read("theme") ?? "light";
const url = read("url");
// Made once, outside of StrictMode's two renders.
const accounts = parameters.getAll("token").map((token) => Account({ url, token, show: read("show"), locale: read("locale") ?? "en" }));
createRoot(document.querySelector("main")).render(
  h(StrictMode, null, accounts.map((account, at) => h("div", { key: at, id: `account-${at}` }, account))),
);
