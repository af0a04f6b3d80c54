// How the components' data is read and followed.
import type { EventOf, Ledgerbell } from "@ledgerbell/client";
import type { ResultOf } from "@ledgerbell/client/graphql";

import { FINDINGS, FINDINGS_LIVE } from "./documents/findings.js";
import { PAYMENT, PAYMENT_LIVE } from "./documents/payment.js";
import { SETTINGS } from "./documents/settings.js";
import { TOP_UPS, TOP_UPS_LIVE } from "./documents/topUps.js";
import { FORECAST, USAGE, USAGE_LIVE } from "./documents/usage.js";
import { Resource, sharedBy } from "./follow.js";
import type { CreditLogFilter, Finding, Forecast, MySettings, Payment, Purchase, Purchases, Used } from "./model.js";

type Event<Document> = EventOf<ResultOf<Document>>;

/** Purchases per request. */
const PURCHASES = 20;
/** The maximum number of usage groups per request: three years of days. */
const GROUPS = 1_100;

const canBuy = (permissions: readonly string[]) => permissions.includes("BUY_CREDITS");

/** Returns purchases in which one is replaced by its new state. */
export function withPurchase(purchases: Purchases, purchase: Purchase): Purchases {
  const isKnown = purchases.list.some(({ id }) => id === purchase.id);
  const list = isKnown
    ? purchases.list.map((other) => (other.id === purchase.id ? newer(other, purchase) : other))
    : [purchase, ...purchases.list].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  return { ...purchases, list };
}

/** Returns the newer one: the response and the event of a mutation arrive in any order. */
function newer(one: Purchase, other: Purchase): Purchase {
  return other.updatedAt >= one.updatedAt ? other : one;
}

/** Reads a page of purchases. */
export async function readPurchases(client: Ledgerbell, id: string | null, after: string | null) {
  const { viewer, account } = await client.query(TOP_UPS, { id, first: PURCHASES, after });
  if (!account) return null;
  const page = account.topUps;
  const data: Purchases | null = page && {
    list: page.nodes,
    hasMore: page.pageInfo.hasNextPage,
    endCursor: page.pageInfo.endCursor,
    canBuy: canBuy(viewer.permissions),
  };
  return { data, cursor: page?.liveCursor ?? null };
}

/** Returns the purchases of an account. */
export function purchasesOf(client: Ledgerbell, id: string | null) {
  return sharedBy(client, `purchases ${id ?? ""}`, () => {
    const live = (after: string) => client.live(TOP_UPS_LIVE, { id, after });
    const apply = (data: Purchases, { topUp }: Event<typeof TOP_UPS_LIVE>) => topUp && withPurchase(data, topUp);
    return new Resource({ read: () => readPurchases(client, id, null), live, apply });
  });
}

/** Returns the cards and the rule of an account. */
export function paymentOf(client: Ledgerbell, id: string | null) {
  return sharedBy(client, `payment ${id ?? ""}`, () => {
    const read = async () => {
      const { viewer, account } = await client.query(PAYMENT, { id });
      if (!account) return null;
      const { paymentMethods: cards, autoTopUp: rule, creditPrice, liveCursor } = account;
      const data: Payment | null = cards && { cards, rule, creditPrice, canBuy: canBuy(viewer.permissions) };
      return { data, cursor: data && liveCursor };
    };
    return new Resource<Payment, Event<typeof PAYMENT_LIVE>>({
      read,
      live: (after) => client.live(PAYMENT_LIVE, { id, after }),
    });
  });
}

/** Returns the findings of an account. */
export function findingsOf(client: Ledgerbell, id: string | null) {
  return sharedBy(client, `findings ${id ?? ""}`, () => {
    const read = async () => {
      const { account } = await client.query(FINDINGS, { id });
      if (!account) return null;
      const data: readonly Finding[] | null = account.troubleshooting;
      return { data, cursor: data && account.liveCursor };
    };
    return new Resource<readonly Finding[], Event<typeof FINDINGS_LIVE>>({
      read,
      live: (after) => client.live(FINDINGS_LIVE, { id, after }),
      apply: (_, { findings }) => findings,
    });
  });
}

/** Returns the settings of the member who is signed in. */
export function settingsOf(client: Ledgerbell) {
  return sharedBy(client, "settings", () => {
    const read = async () => {
      const { member } = (await client.query(SETTINGS)).viewer;
      const { contact, notificationSettings: settings } = member ?? {};
      const data: MySettings | null = contact && settings ? { contact, settings } : null;
      return { data, cursor: null };
    };
    return new Resource({ read });
  });
}

/** Returns how long the credits of an account last. */
export function forecastOf(client: Ledgerbell, id: string | null) {
  return sharedBy(client, `forecast ${id ?? ""}`, () => {
    const read = async () => {
      const { account } = await client.query(FORECAST, { id });
      const data: Forecast | null = account?.forecast ?? null;
      return account && { data, cursor: null };
    };
    return new Resource({ read });
  });
}

/** Returns the usage of an account. */
export function usageOf(client: Ledgerbell, id: string | null, by: "MEMBER" | "KIND" | "DAY", filter: CreditLogFilter) {
  return sharedBy(client, `usage ${id ?? ""} ${by} ${JSON.stringify(filter)}`, () => {
    const page = async (after: string | null) =>
      (await client.query(USAGE, { id, filter, groupBy: [by], after })).account;
    const read = async () => {
      const first = await page(null);
      if (!first?.creditUsage) return first && { data: null, cursor: null };
      const groups = [...first.creditUsage.nodes];
      let { pageInfo } = first.creditUsage;
      while (pageInfo.hasNextPage && groups.length < GROUPS) {
        const next = (await page(pageInfo.endCursor))?.creditUsage;
        if (!next) break;
        groups.push(...next.nodes);
        pageInfo = next.pageInfo;
      }
      return { data: { timezone: first.timezone, groups }, cursor: first.liveCursor };
    };
    return new Resource<Used, Event<typeof USAGE_LIVE>>({
      read,
      live: (after) => client.live(USAGE_LIVE, { id, after }),
    });
  });
}
