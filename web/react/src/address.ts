// Stores the filters of a list in the query of the page's address, so that a reload, a link and the back button show the
// same.
import { useCallback, useMemo, useSyncExternalStore } from "react";

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

/** Texts by name, and lists of texts. Empty ones are left out of the address. */
export type Fields<Choice> = { readonly [Name in keyof Choice]: string | readonly string[] };

/** Reads a choice from the query of an address. `none` is the choice of an address without any parameter. */
export function choiceIn<Choice extends Fields<Choice>>(query: string, prefix: string, none: Choice): Choice {
  const parameters = new URLSearchParams(query);
  const read = Object.entries<string | readonly string[]>(none).map(([name, empty]) => {
    const value = parameters.get(prefix + name) ?? "";
    return [name, Array.isArray(empty) ? value.split(",").filter(Boolean) : value];
  });
  return Object.fromEntries(read) as Choice;
}

/** Writes a choice into the query of an address, and keeps the rest of it. */
export function queryWith<Choice extends Fields<Choice>>(choice: Choice, prefix: string, query: string): string {
  const parameters = new URLSearchParams(query);
  for (const [name, chosen] of Object.entries<string | readonly string[]>(choice)) {
    const value = String(chosen);
    if (value) parameters.set(prefix + name, value);
    else parameters.delete(prefix + name);
  }
  const text = parameters.toString().replace(/%2C/g, ",");
  return text && `?${text}`;
}

/**
 * Returns the choice in the address, and a function that changes it. `none` has the name of each parameter, and must be
 * the same object each time. Each change adds an entry to the history, except while typing.
 */
export function useUrlState<Choice extends Fields<Choice>>(
  prefix: string,
  none: Choice,
): [Choice, (change: Partial<Choice>, isTyped?: boolean) => void] {
  const query = useSyncExternalStore(subscribe, search, nothing);
  const choice = useMemo(() => choiceIn(query, prefix, none), [query, prefix, none]);
  const change = useCallback(
    (part: Partial<Choice>, isTyped = false) => {
      const { pathname, hash } = location;
      const wanted = queryWith({ ...choiceIn(location.search, prefix, none), ...part }, prefix, location.search);
      if (wanted === location.search) return;
      const address = pathname + wanted + hash;
      if (isTyped) history.replaceState(history.state, "", address);
      else history.pushState(history.state, "", address);
      for (const listener of [...listeners]) listener();
    },
    [prefix, none],
  );
  return [choice, change];
}
