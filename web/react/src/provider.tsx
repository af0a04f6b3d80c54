import type { AccountStore, Ledgerbell } from "@ledgerbell/client";
import { createContext, useContext, useMemo, type ReactNode } from "react";

import type { Payments } from "./stripe.js";
import { wordsOf, type Words } from "./words/index.js";

/** The context of components. */
interface Place {
  client: Ledgerbell;
  store: AccountStore;
  accountId: string | null;
  locale: string;
  words: Words;
  payments: Payments | undefined;
}

const Context = createContext<Place | null>(null);

/** The properties of {@link LedgerbellProvider}. */
export interface LedgerbellProviderProps {
  /** Create it once with `createLedgerbell`, outside of components or in a state. */
  client: Ledgerbell;
  /** The account; the member's own if left out. */
  accountId?: string | undefined;
  /** The language of texts, amounts and instants, such as `de`. If left out: the browser's, and English on a server. */
  locale?: string | undefined;
  /** How users add cards: your Stripe object (`await loadStripe(…)`), or `simulated` for the simulated gateway. */
  payments?: Payments | undefined;
  children: ReactNode;
}

/** Provides a client and an account to the components and hooks below it. */
export function LedgerbellProvider({
  client,
  accountId,
  locale,
  payments,
  children,
}: LedgerbellProviderProps): ReactNode {
  const language = locale ?? (globalThis as { navigator?: { language?: string } }).navigator?.language ?? "en";
  const place = useMemo(() => {
    const store = client.account(accountId, { log: 100, inbox: 100 });
    return { client, store, accountId: accountId ?? null, locale: language, words: wordsOf(language), payments };
  }, [client, accountId, language, payments]);
  return <Context.Provider value={place}>{children}</Context.Provider>;
}

/** Returns the client and the account of the nearest {@link LedgerbellProvider}. */
export function useLedgerbell(): Place {
  const place = useContext(Context);
  if (!place) throw new Error("Put a LedgerbellProvider around components of @ledgerbell/react");
  return place;
}
