// Answers the requests of components for the selected state.
import { createLedgerbell, type Ledgerbell } from "@ledgerbell/client";

import * as things from "./things.js";

export const STATES = ["loading", "waiting", "empty", "error", "offline", "one", "many", "long"] as const;
export type State = (typeof STATES)[number];

/** What the components ask once they have loaded: it never comes in the state "waiting". */
const ASKED_LATER = ["LedgerbellQuote", "LedgerbellSimulation", "LedgerbellForecast"];

const COUNTS: Partial<Record<State, number>> = { empty: 0, one: 1 };

function answersOf(state: State) {
  const isLong = state === "long";
  const count = COUNTS[state] ?? 12;
  const list = <Thing>(make: (at: number, isLong: boolean) => Thing, most = count) =>
    Array.from({ length: Math.min(count, most) }, (_, at) => make(at, isLong));
  const pageInfo = { hasNextPage: count > 10, endCursor: "end" };
  const [available, posted] = isLong ? ["987654321098.7654", "999999999999.9999"] : [count ? "278.75" : "0", "313.75"];
  const balance = {
    id: "balance",
    version: "1",
    posted: count ? posted : "0",
    held: count ? "35" : "0",
    available,
    incoming: "0",
  };
  const items = list(things.item);
  const lines = list(things.line);
  const totals = { count: String(count), added: "1796.25", deducted: "1482.5", net: "313.75" };
  const cards = list(things.card, 3);
  const viewer = { permissions: ["BUY_CREDITS", "MANAGE_SETTINGS"], member: { id: "member-1" } };
  const account = {
    liveCursor: "here",
    id: "account",
    name: "Brightwater",
    status: isLong ? "FROZEN" : "ACTIVE",
    frozenReason: isLong ? things.item(0, true).alert.title : null,
  };
  const alerts = { unreadCount: items.filter(({ readAt }) => !readAt).length, items, pageInfo };
  return (name: string, variables: Record<string, unknown>): object => {
    switch (name) {
      case "LedgerbellAccount":
        return {
          viewer,
          account: { ...account, balance, creditLog: { nodes: lines }, alerts, topUps: null, sessions: null },
        };
      case "LedgerbellLog":
        return {
          account: {
            creditLog: { liveCursor: "here", nodes: lines, pageInfo: { ...pageInfo, hasNextPage: false }, totals },
          },
        };
      case "LedgerbellEntry":
        return {
          node: {
            ...things.line(0, isLong),
            balanceBefore: "300",
            hash: "b1".repeat(32),
            session: null,
            reverses: null,
            reversedBy: [],
            lotDraws: [],
          },
        };
      case "LedgerbellMembers":
        return { account: { members: { nodes: [] } } };
      case "LedgerbellAlerts":
        return { account: { alerts: { items: [], pageInfo: { hasNextPage: false, endCursor: null } } } };
      case "LedgerbellDeliveries":
        return { viewer, node: { deliveries: { nodes: [things.delivery] } } };
      case "LedgerbellTopUps":
        return { viewer, account: { topUps: { liveCursor: "here", nodes: list(things.purchase), pageInfo } } };
      case "LedgerbellPayment":
        return {
          viewer,
          account: {
            ...account,
            creditPrice: { amount: "1.20", currency: "EUR" },
            paymentMethods: cards,
            autoTopUp: things.rule(isLong, count > 0),
          },
        };
      case "LedgerbellQuote": {
        const price = { amount: (Number(variables.credits) * 1.2).toFixed(2), currency: "EUR" };
        return { account: { topUpQuote: { minimum: "1", maximum: "10000", step: "1", price } } };
      }
      case "LedgerbellSimulation":
        return { account: { simulateAutoTopUp: things.simulation } };
      case "LedgerbellFindings":
        return { account: { ...account, troubleshooting: list(things.finding, 6) } };
      case "LedgerbellMySettings":
        return {
          viewer: {
            member: { id: "member-1", contact: things.contact(isLong), notificationSettings: things.settings(isLong) },
          },
        };
      case "LedgerbellForecast":
        return {
          account: {
            forecast: {
              creditsPerDay: count ? "14.2" : "0",
              daysLeft: 19.6,
              depletedAt: null,
              nextAutoTopUpAt: things.ago(-300),
            },
          },
        };
      case "LedgerbellUsage": {
        const groups = count
          ? things.usage(String(variables.groupBy), isLong).slice(0, count === 1 ? 1 : undefined)
          : [];
        return {
          account: {
            liveCursor: "here",
            timezone: "UTC",
            creditUsage: { nodes: groups, pageInfo: { hasNextPage: false, endCursor: null } },
          },
        };
      }
      default:
        return {};
    }
  };
}

const never = (signal: AbortSignal | null | undefined) =>
  new Promise<Response>((_, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted"))));

/** Returns a client whose server is in this state. */
export function clientIn(state: State): Ledgerbell {
  const answer = answersOf(state);
  const fetch = (_: unknown, init?: RequestInit): Promise<Response> => {
    const { query, variables } = JSON.parse(init?.body as string) as {
      query: string;
      variables: Record<string, unknown>;
    };
    const [, kind = "", name = ""] = /(query|subscription|mutation) (\w*)/.exec(query) ?? [];
    if (state === "loading" || (state === "waiting" && ASKED_LATER.includes(name))) return never(init?.signal);
    if (state === "offline" && kind === "subscription") return Promise.reject(new TypeError("the network is gone"));
    if (kind === "subscription") return never(init?.signal);
    if (kind === "mutation" || state === "error") {
      const errors = [{ message: "The gallery has no server.", extensions: { code: "FORBIDDEN" } }];
      return Promise.resolve(new Response(JSON.stringify({ errors })));
    }
    return Promise.resolve(new Response(JSON.stringify({ data: answer(name, variables) })));
  };
  return createLedgerbell({
    url: "https://gallery.example/graphql",
    token: () => "gallery",
    fetch: fetch,
    WebSocket: null,
  });
}
