// Stores the filters of the credit log in the page's address, so that a reload, a link and the back button show the
// same.
import { useCallback, useMemo, useSyncExternalStore } from "react";

import type { CreditLogFilter } from "./model.js";

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("popstate", listener);
  };
}

const search = () => location.search;
/** A server does not know the address; the page reads it when it is hydrated. */
const nothing = () => "";

/** The selected filters, as texts. Empty means no limit. */
export interface LogChoice {
  q: string;
  kind: readonly string[];
  dir: string;
  member: readonly string[];
  by: readonly string[];
  from: string;
  to: string;
  min: string;
  max: string;
  session: string;
  topup: string;
}

export const NO_CHOICE: LogChoice = {
  q: "",
  kind: [],
  dir: "",
  member: [],
  by: [],
  from: "",
  to: "",
  min: "",
  max: "",
  session: "",
  topup: "",
};

const NAMES = Object.keys(NO_CHOICE) as (keyof LogChoice)[];

/** Reads the filters from the query of an address. Values that are not valid are ignored. */
export function choiceOf(query: string, prefix: string): LogChoice {
  const parameters = new URLSearchParams(query);
  const choice: Record<string, string | readonly string[]> = {};
  for (const name of NAMES) {
    const value = parameters.get(prefix + name) ?? "";
    choice[name] = Array.isArray(NO_CHOICE[name]) ? value.split(",").filter(Boolean) : value;
  }
  return choice as unknown as LogChoice;
}

/** Writes the filters into the query of an address, and keeps the rest of it. */
export function queryOf(choice: LogChoice, prefix: string, query: string): string {
  const parameters = new URLSearchParams(query);
  for (const name of NAMES) {
    const value = String(choice[name]);
    if (value) parameters.set(prefix + name, value);
    else parameters.delete(prefix + name);
  }
  const text = parameters.toString().replace(/%2C/g, ",");
  return text && `?${text}`;
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const AMOUNT = /^\d+(\.\d{1,4})?$/;
const KINDS = /^[A-Z_]+$/;

/** Returns the filter for a choice, which narrows another filter. */
export function filterOf(choice: LogChoice, filter: CreditLogFilter = {}): CreditLogFilter {
  const { q, kind, dir, member, by, from, to, min, max, session, topup } = choice;
  const kinds = kind.filter((name) => KINDS.test(name));
  const dates = { ...(DATE.test(from) && { from }), ...(DATE.test(to) && { to }) };
  const amount = { ...(AMOUNT.test(min) && { min }), ...(AMOUNT.test(max) && { max }) };
  return {
    ...filter,
    ...(q.trim() && { search: q.trim() }),
    ...(kinds.length && { kinds }),
    ...((dir === "ADDED" || dir === "DEDUCTED") && { direction: dir }),
    ...(member.length && { memberIds: member }),
    ...(by.length && { actorKinds: by }),
    ...((dates.from ?? dates.to) && { dates }),
    ...((amount.min ?? amount.max) && { amount }),
    ...(session && { sessionIds: [session] }),
    ...(topup && { topUpIds: [topup] }),
  } as CreditLogFilter;
}

/**
 * Returns the choice in the address, and a function that changes it. Each change adds an entry to the history, except
 * while typing.
 */
export function useUrlChoice(prefix: string): [LogChoice, (change: Partial<LogChoice>, isTyped?: boolean) => void] {
  const query = useSyncExternalStore(subscribe, search, nothing);
  const choice = useMemo(() => choiceOf(query, prefix), [query, prefix]);
  const change = useCallback(
    (part: Partial<LogChoice>, isTyped = false) => {
      const { pathname, hash } = location;
      const wanted = queryOf({ ...choiceOf(location.search, prefix), ...part }, prefix, location.search);
      if (wanted === location.search) return;
      const address = pathname + wanted + hash;
      if (isTyped) history.replaceState(history.state, "", address);
      else history.pushState(history.state, "", address);
      for (const listener of [...listeners]) listener();
    },
    [prefix],
  );
  return [choice, change];
}
