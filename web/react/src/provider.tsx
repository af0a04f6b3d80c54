import type { AccountStore, Ledgerbell } from "@ledgerbell/client";
import { createContext, useContext, useMemo, type ReactNode } from "react";

import type { Payments } from "./stripe.js";
import { wordsOf, type Words } from "./words/index.js";

/** What components find their data by. */
interface Place {
  client: Ledgerbell;
  store: AccountStore;
  accountId: string | null;
  locale: string;
  words: Words;
  payments: Payments | undefined;
}

const Context = createContext<Place | null>(null);

/** What {@link LedgerbellProvider} takes. */
export interface LedgerbellProviderProps {
  /** Made once by `createLedgerbell`, outside of components or kept in a state. */
  client: Ledgerbell;
  /** Which account; the member's own when left out. */
  accountId?: string | undefined;
  /** The language of texts, amounts and instants, such as `de`; the browser's when left out, and English on a server. */
  locale?: string | undefined;
  /** How cards are given: your object of Stripe (`await loadStripe(…)`), or `simulated` against the simulated gateway. */
  payments?: Payments | undefined;
  children: ReactNode;
}

/** Gives the components and hooks beneath it a client and an account. */
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

/** The client and the account of the nearest {@link LedgerbellProvider}. */
export function useLedgerbell(): Place {
  const place = useContext(Context);
  if (!place) throw new Error("Put a LedgerbellProvider around components of @ledgerbell/react");
  return place;
}
