// Hooks without any looks, for components of your own.
import type { AccountState, Balance, ClientStatus, InboxItem } from "@ledgerbell/client";
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";

import { CreditLogStore, type CreditLogFilter, type CreditLogState } from "./log.js";
import { useLedgerbell } from "./provider.js";

/** All that is shown of the account, kept up to date while the component is there. */
export function useAccount(): AccountState & { refresh: () => void } {
  const { store } = useLedgerbell();
  const state = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
  return useMemo(() => ({ ...state, refresh: () => store.refresh() }), [state, store]);
}

/** What the account has; null until it was read. */
export function useBalance(): Balance | null {
  return useAccount().balance;
}

/** The member's inbox. Marks are shown at once; `error` says why the last one was taken back. */
export interface Inbox {
  items: readonly InboxItem[];
  unreadCount: number;
  isLoading: boolean;
  error: Error | null;
  markRead: (alertIds: readonly string[], read?: boolean) => void;
  markAllRead: () => void;
  archive: (alertIds: readonly string[], archived?: boolean) => void;
}

/** The member's inbox. */
export function useInbox(): Inbox {
  const { store } = useLedgerbell();
  const { inbox, unreadCount, phase, error } = useAccount();
  const [refused, setRefused] = useState<Error | null>(null);
  const attempt = useCallback((mark: Promise<void>) => {
    setRefused(null);
    mark.catch((reason: unknown) => setRefused(reason instanceof Error ? reason : new Error(String(reason))));
  }, []);
  return {
    items: inbox,
    unreadCount,
    isLoading: phase === "loading",
    error: refused ?? error,
    markRead: useCallback((ids, read = true) => attempt(store.markRead(ids, read)), [store, attempt]),
    markAllRead: useCallback(() => attempt(store.markAllRead()), [store, attempt]),
    archive: useCallback((ids, archived = true) => attempt(store.archive(ids, archived)), [store, attempt]),
  };
}

/** The credit log by a filter, with totals, older pages on demand, and new lines as they are posted. */
export function useCreditLog(
  filter: CreditLogFilter = {},
  pageSize = 50,
): CreditLogState & { loadMore: () => void; refresh: () => void } {
  const { client, accountId } = useLedgerbell();
  // A filter that says the same is the same.
  const key = JSON.stringify(filter);
  const store = useMemo(
    () => new CreditLogStore(client, accountId, JSON.parse(key) as CreditLogFilter, pageSize),
    [client, accountId, key, pageSize],
  );
  const state = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
  return useMemo(
    () => ({ ...state, loadMore: () => void store.loadMore(), refresh: () => store.refresh() }),
    [state, store],
  );
}

/** How it stands with live data. */
export function useLiveStatus(): ClientStatus {
  const { status } = useLedgerbell().client;
  const subscribe = useCallback((listener: () => void) => status.subscribe(listener), [status]);
  const get = useCallback(() => status.get(), [status]);
  return useSyncExternalStore(subscribe, get, get);
}

/** The time, anew each minute, for what is said relative to it. Null on a server and while a page from there is taken over. */
export function useNow(): number | null {
  const [now, setNow] = useState<number | null>(null);
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 60_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
