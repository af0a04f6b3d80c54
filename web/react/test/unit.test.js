// Tests what needs neither a server nor a document.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLedgerbell } from "@ledgerbell/client";
import { createElement as h } from "react";
import { renderToString } from "react-dom/server";

import * as react from "../dist/index.js";

const { Balance, LedgerbellProvider, addedTo } = react;
/** Every component, but the provider. */
const COMPONENTS = Object.entries(react).filter(([name]) => /^[A-Z]/.test(name) && name !== "LedgerbellProvider");

test("totals move on exactly", () => {
  const totals = { count: "9007199254740993", added: "0.1", deducted: "12", net: "-11.9" };
  const lines = [{ amount: "0.2" }, { amount: "-0.0001" }, { amount: "900719925474099.1234" }];
  assert.deepEqual(addedTo(totals, lines), {
    count: "9007199254740996",
    added: "900719925474099.4234",
    deducted: "12.0001",
    net: "900719925474087.4233",
  });
  assert.deepEqual(addedTo({ count: "0", added: "0", deducted: "0", net: "0" }, [{ amount: "-10" }]), {
    count: "1",
    added: "0",
    deducted: "10",
    net: "-10",
  });
});

test("a server renders all of it without asking for anything, and without complaint", (t) => {
  const complaints = t.mock.method(console, "error", () => {});
  const client = createLedgerbell({ url: "http://here/graphql", token: () => assert.fail("nothing is asked") });
  assert.equal(COMPONENTS.length, 14);
  const page = (locale) => {
    const all = COMPONENTS.map(([name, component]) => h(component, { key: name }));
    return renderToString(h(LedgerbellProvider, { client, locale, payments: "simulated" }, all));
  };
  assert.match(page("en"), /Credit log/);
  assert.match(page("de-AT"), /Guthabenverlauf/);
  // A language without texts falls back to English.
  assert.match(page("fr"), /Credit log/);
  assert.equal(complaints.mock.callCount(), 0);
});

test("a component without a provider says what to do", (t) => {
  t.mock.method(console, "error", () => {});
  assert.throws(() => renderToString(h(Balance)), /LedgerbellProvider/);
});
