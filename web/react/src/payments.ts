// Hooks for buying: purchases, cards and the rule.
import { newKey, type Ledgerbell } from "@ledgerbell/client";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { mayHaveTakenPlace } from "./actions.js";
import { ADD_CARD, DEFAULT_CARD, REMOVE_CARD, RESUME_RULE, SAVE_RULE, SIMULATION } from "./documents/payment.js";
import { BUY, CANCEL, QUOTE, RETRY } from "./documents/topUps.js";
import type { Card, Followed, Payment, Purchase, Purchases, Quote, Simulation } from "./model.js";
import { useLedgerbell } from "./provider.js";
import { useResource } from "./resource.js";
import { paymentOf, purchasesOf, readPurchases, withPurchase } from "./sources.js";

/** The pause in typing before a request, in milliseconds. */
const PAUSE = 250;

/** Purchases of credits, and their actions. Each action rejects with the reason if it is refused. */
export interface PurchasesHook extends Followed<Purchases> {
  refresh: () => void;
  /** Reads older purchases. */
  loadMore: () => Promise<void>;
  /** Buys credits with a card; the default card if left out. Calling it again after a failure buys only once. */
  buy: (credits: string, cardId?: string) => Promise<Purchase>;
  /** Tries again, with the same card if none is named. Calling it again after a failure retries only once. */
  retry: (purchase: Purchase, cardId?: string) => Promise<Purchase>;
  /** Cancels a purchase. */
  cancel: (purchase: Purchase) => Promise<Purchase>;
}

/** Returns purchases of credits, newest first, with every attempt. */
export function usePurchases(): PurchasesHook {
  const { client, accountId } = useLedgerbell();
  const resource = purchasesOf(client, accountId);
  const state = useResource(resource);
  const keys = useRef({ input: "", key: "" });
  const actions = useMemo(() => {
    const scope = accountId === null ? {} : { accountId };
    const put = (purchase: Purchase | null | undefined): Purchase => {
      if (!purchase) throw new Error("The purchase is missing");
      resource.change((all) => withPurchase(all, purchase));
      return purchase;
    };
    return {
      buy: async (credits: string, cardId?: string) => {
        const input = { ...scope, credits, ...(cardId && { paymentMethodId: cardId }) };
        const text = JSON.stringify(input);
        if (keys.current.input !== text) keys.current = { input: text, key: newKey() };
        try {
          const { createTopUp } = await client.mutate(BUY, { input: { ...input, idempotencyKey: keys.current.key } });
          keys.current.input = "";
          return put(createTopUp?.topUp);
        } catch (error) {
          if (!mayHaveTakenPlace(error)) keys.current.input = "";
          throw error;
        }
      },
      retry: async ({ id, attempts }: Purchase, cardId?: string) => {
        const idempotencyKey = ["retry", id, attempts.length, cardId].join(" ").trim();
        const input = { topUpId: id, ...(cardId && { paymentMethodId: cardId }), idempotencyKey };
        return put((await client.mutate(RETRY, { input })).retryTopUp?.topUp);
      },
      cancel: async ({ id }: Purchase) =>
        put((await client.mutate(CANCEL, { input: { topUpId: id } })).cancelTopUp?.topUp),
      loadMore: async () => {
        const { data } = resource.getSnapshot();
        if (!data?.hasMore) return;
        const page = (await readPurchases(client, accountId, data.endCursor))?.data;
        if (page) resource.change((all) => ({ ...page, list: joined(all.list, page.list) }));
      },
    };
  }, [client, accountId, resource]);
  return useMemo(() => ({ ...state, ...actions }), [state, actions]);
}

function joined(list: readonly Purchase[], older: readonly Purchase[]): readonly Purchase[] {
  const known = new Set(list.map(({ id }) => id));
  return [...list, ...older.filter(({ id }) => !known.has(id))];
}

/** Changes of the rule. Settings that are left out stay. */
export interface RuleChange {
  enabled?: boolean;
  trigger?: string;
  amount?: string;
  /** Null removes the cap. */
  monthlyCap?: string | null;
  paymentMethodId?: string;
  /** Whether the member agrees to the charges of the rule. */
  consent?: boolean;
  /** The change is refused if the rule has another version. */
  expectedVersion?: number;
}

/** Cards, the rule that charges them, and their actions. */
export interface PaymentHook extends Followed<Payment> {
  refresh: () => void;
  /** Adds a card by the gateway's token. */
  addCard: (gatewayToken: string) => Promise<Card>;
  makeDefault: (cardId: string) => Promise<void>;
  removeCard: (cardId: string) => Promise<void>;
  saveRule: (change: RuleChange) => Promise<void>;
  resumeRule: () => Promise<void>;
}

/** Returns the cards and auto top-up. */
export function usePayment(): PaymentHook {
  const { client, accountId } = useLedgerbell();
  const resource = paymentOf(client, accountId);
  const state = useResource(resource);
  const actions = useMemo(
    () => paymentActions(client, accountId, () => resource.refresh()),
    [client, accountId, resource],
  );
  return useMemo(() => ({ ...state, ...actions }), [state, actions]);
}

function paymentActions(client: Ledgerbell, accountId: string | null, refresh: () => void) {
  const scope = accountId === null ? {} : { accountId };
  const done = async (doing: Promise<unknown>) => {
    await doing;
    refresh();
  };
  return {
    addCard: async (gatewayToken: string): Promise<Card> => {
      const { addPaymentMethod } = await client.mutate(ADD_CARD, { input: { ...scope, gatewayToken } });
      refresh();
      if (!addPaymentMethod?.paymentMethod) throw new Error("The card is missing");
      return addPaymentMethod.paymentMethod;
    },
    makeDefault: (paymentMethodId: string) => done(client.mutate(DEFAULT_CARD, { input: { paymentMethodId } })),
    removeCard: (paymentMethodId: string) => done(client.mutate(REMOVE_CARD, { input: { paymentMethodId } })),
    saveRule: (change: RuleChange) => done(client.mutate(SAVE_RULE, { input: { ...scope, ...change } })),
    resumeRule: () => done(client.mutate(RESUME_RULE, { input: scope })),
  };
}

/** The result of a request that follows typing. */
export interface Asked<Data> {
  data: Data | null;
  isLoading: boolean;
  error: Error | null;
}

/** Sends a request when typing pauses. A response that was overtaken is ignored. */
function useAsked<Data>(question: string | null, ask: (signal: AbortSignal) => Promise<Data | null>): Asked<Data> {
  const [state, setState] = useState<Asked<Data>>({ data: null, isLoading: false, error: null });
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    if (question === null) {
      setState({ data: null, isLoading: false, error: null });
      return;
    }
    const ending = new AbortController();
    setState((state) => ({ ...state, isLoading: true, error: null }));
    const timer = setTimeout(() => {
      latest.current(ending.signal).then(
        (data) => !ending.signal.aborted && setState({ data, isLoading: false, error: null }),
        (error: unknown) => !ending.signal.aborted && setState({ data: null, isLoading: false, error: error as Error }),
      );
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [question]);
  return state;
}

const AMOUNT = /^\d+(\.\d{1,4})?$/;

/** Returns the price of credits. `data` has no price if this number cannot be bought. */
export function useQuote(credits: string): Asked<Quote> {
  const { client, accountId: id } = useLedgerbell();
  const ask = useCallback(
    async (signal: AbortSignal): Promise<Quote | null> => {
      try {
        return (await client.query(QUOTE, { id, credits }, { signal })).account?.topUpQuote ?? null;
      } catch (error) {
        // The response contains the limits in addition to the error.
        const { data } = error as { data?: { account?: { topUpQuote?: Quote | null } } };
        if (data?.account?.topUpQuote) return data.account.topUpQuote;
        throw error;
      }
    },
    [client, id, credits],
  );
  return useAsked(AMOUNT.test(credits) ? JSON.stringify([id, credits]) : null, ask);
}

/** Returns what settings of the rule would have done over the last 90 days. */
export function useSimulation(trigger: string, amount: string, monthlyCap: string | null): Asked<Simulation> {
  const { client, accountId: id } = useLedgerbell();
  const variables = { id, trigger, amount, monthlyCap };
  const isWhole = AMOUNT.test(trigger) && AMOUNT.test(amount) && (monthlyCap === null || AMOUNT.test(monthlyCap));
  return useAsked(
    isWhole ? JSON.stringify(variables) : null,
    async (signal) => (await client.query(SIMULATION, variables, { signal })).account?.simulateAutoTopUp ?? null,
  );
}
