// The route of the console: `#/log` for the viewer's own account, `#/accounts/acct_…/log` for another. It follows the
// "#", so that the server does not see it. The query before it contains the filters of lists.
import { useSyncExternalStore } from "react";

export interface Route {
  accountId: string | null;
  screen: string;
}

function read(hash: string): Route {
  const [first = "", second, third] = hash.replace(/^#\/?/, "").split("/");
  if (first === "accounts" && second) return { accountId: decodeURIComponent(second), screen: third ?? "overview" };
  return { accountId: null, screen: first || "overview" };
}

/** Returns the address of a screen. */
export function hrefOf({ accountId, screen }: Route): string {
  return accountId ? `#/accounts/${encodeURIComponent(accountId)}/${screen}` : `#/${screen}`;
}

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}

/** Returns the current route. */
export function useRoute(): Route {
  return read(useSyncExternalStore(subscribe, () => location.hash));
}

/** Navigates to a screen. */
export function go(route: Route): void {
  location.hash = hrefOf(route);
}
