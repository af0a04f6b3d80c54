// Where the console is: `#/log` of one's own account, `#/accounts/acct_…/log` of another one. Behind the "#", so that it is no path of
// the server; queries before it are the filters of lists.
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

/** The address of a screen. */
export function hrefOf({ accountId, screen }: Route): string {
  return accountId ? `#/accounts/${encodeURIComponent(accountId)}/${screen}` : `#/${screen}`;
}

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}

/** Where the console is now. */
export function useRoute(): Route {
  return read(useSyncExternalStore(subscribe, () => location.hash));
}

/** Goes to a screen. */
export function go(route: Route): void {
  location.hash = hrefOf(route);
}
