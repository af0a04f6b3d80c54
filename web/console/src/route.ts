// The route of the console: `#/log` for the viewer's own account, `#/accounts/acct_…/log` for another. It follows the
// "#", so that the server does not see it. The query before it contains the filters of lists.
import { useSyncExternalStore } from "react";

export interface Route {
  accountId: string | null;
  screen: string;
}

/** The prefix of the filters of the platform's list. They stay in the address when an account of the list is opened. */
export const ACCOUNT_LIST = "accounts-";

function read(hash: string): Route {
  const [first = "", second, third] = hash.replace(/^#\/?/, "").split("/");
  if (first === "accounts" && second) return { accountId: decodeURIComponent(second), screen: third ?? "overview" };
  return { accountId: null, screen: first || "overview" };
}

/** Returns the address of a screen. */
export function hrefOf({ accountId, screen }: Route): string {
  return accountId ? `#/accounts/${encodeURIComponent(accountId)}/${screen}` : `#/${screen}`;
}

let shown = read(location.hash).accountId;
if (history.state === null) history.replaceState({}, "");

/**
 * Drops the filters of one account's lists when another account is opened: a new entry of the history has the query of the
 * one before. It has no state yet. Entries that the viewer goes back to have one, and keep their query.
 */
function enter(): void {
  const { accountId } = read(location.hash);
  if (history.state === null) {
    const parameters = new URLSearchParams(location.search);
    if (accountId !== shown)
      for (const name of [...parameters.keys()]) if (!name.startsWith(ACCOUNT_LIST)) parameters.delete(name);
    const query = parameters.size ? `?${parameters.toString()}` : "";
    history.replaceState({}, "", location.pathname + query + location.hash);
  }
  shown = accountId;
}

/** Browsers report going back to another query only by the first of them. */
const MOVES = ["popstate", "hashchange"] as const;

for (const move of MOVES) addEventListener(move, enter);

function subscribe(listener: () => void): () => void {
  for (const move of MOVES) addEventListener(move, listener);
  return () => {
    for (const move of MOVES) removeEventListener(move, listener);
  };
}

/** Returns the current route. */
export function useRoute(): Route {
  return read(useSyncExternalStore(subscribe, () => location.hash));
}

/** Navigates to a screen. */
export function go(route: Route): void {
  location.hash = hrefOf(route);
}
