// Hooks without any rendering, for custom components.
import type { AccountState, Balance, ClientStatus, InboxItem } from "@ledgerbell/client";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";

import { CreditLogStore } from "./log.js";
import type { CreditLogFilter, CreditLogState, Finding, Followed, Forecast, Used } from "./model.js";
import { useLedgerbell } from "./provider.js";
import { useResource } from "./resource.js";
import { findingsOf, forecastOf, usageOf } from "./sources.js";

/** Returns the state of the account, kept up to date while the component is mounted. */
export function useAccount(): AccountState & { refresh: () => void } {
  const { store } = useLedgerbell();
  const state = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
  return useMemo(() => ({ ...state, refresh: () => store.refresh() }), [state, store]);
}

/** Returns the balance of the account; null until it was read. */
export function useBalance(): Balance | null {
  return useAccount().balance;
}

/** The member's inbox. Marks are shown at once; `error` contains why the last one was undone. */
export interface Inbox {
  items: readonly InboxItem[];
  unreadCount: number;
  isLoading: boolean;
  error: Error | null;
  /** These resolve to whether the change succeeded. */
  markRead: (alertIds: readonly string[], read?: boolean) => Promise<boolean>;
  markAllRead: () => Promise<boolean>;
  archive: (alertIds: readonly string[], archived?: boolean) => Promise<boolean>;
}

/** Returns the member's inbox. */
export function useInbox(): Inbox {
  const { store } = useLedgerbell();
  const { inbox, unreadCount, phase, error } = useAccount();
  const [refused, setRefused] = useState<Error | null>(null);
  const attempt = useCallback(async (mark: Promise<void>) => {
    setRefused(null);
    try {
      await mark;
      return true;
    } catch (reason) {
      setRefused(reason instanceof Error ? reason : new Error(String(reason)));
      return false;
    }
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

/** Returns the credit log by a filter, with totals, older pages on demand, and live new lines. */
export function useCreditLog(
  filter: CreditLogFilter = {},
  pageSize = 50,
): CreditLogState & { loadMore: () => void; refresh: () => void; keep: (from: number, to: number) => void } {
  const { client, accountId } = useLedgerbell();
  // Equal filters have the same key.
  const key = JSON.stringify(filter);
  const store = useMemo(
    () => new CreditLogStore(client, accountId, JSON.parse(key) as CreditLogFilter, pageSize),
    [client, accountId, key, pageSize],
  );
  const state = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
  return useMemo(
    () => ({
      ...state,
      loadMore: () => void store.loadMore(),
      refresh: () => store.refresh(),
      keep: (from: number, to: number) => store.keep(from, to),
    }),
    [state, store],
  );
}

/** Returns the status of the live connection. */
export function useLiveStatus(): ClientStatus {
  const { status } = useLedgerbell().client;
  const subscribe = useCallback((listener: () => void) => status.subscribe(listener), [status]);
  const get = useCallback(() => status.get(), [status]);
  return useSyncExternalStore(subscribe, get, get);
}

/** Returns the time, updated each minute, for relative times. Null on a server and while its page is hydrated. */
export function useNow(): number | null {
  const [now, setNow] = useState<number | null>(null);
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 60_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** Returns the findings of the account, the worst first, and a function that sends a remedy. */
export function useFindings(): Followed<readonly Finding[]> & {
  refresh: () => void;
  /** Sends the mutation of a finding's remedy. Rejects with the reason if it is refused. */
  send: (finding: Finding) => Promise<void>;
} {
  const { client, accountId } = useLedgerbell();
  const resource = findingsOf(client, accountId);
  const state = useResource(resource);
  const send = useCallback(
    async ({ remedy: { mutation, variables } }: Finding) => {
      if (mutation === null) throw new Error("This remedy has no mutation");
      const input = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Input!`;
      const text = `mutation ($input: ${input}) { ${mutation}(input: $input) { userErrors { code message field } } }`;
      // The key stays the same as long as the finding exists, so it is safe to send it again.
      await client.mutate(text, variables as Record<string, unknown>, { retry: true });
    },
    [client],
  );
  return useMemo(() => ({ ...state, send }), [state, send]);
}

/** The pause between a change of the balance and a new read of the forecast, in milliseconds. */
const SETTLING = 1_000;

/** Returns how long credits last at the current rate; null if the viewer may not see it. */
export function useForecast(): Forecast | null {
  const { client, accountId } = useLedgerbell();
  const resource = forecastOf(client, accountId);
  const { data } = useResource(resource);
  const version = useBalance()?.version;
  const shown = useRef(version);
  useEffect(() => {
    const isFirst = shown.current === undefined;
    shown.current = version;
    if (isFirst) return;
    const timer = setTimeout(() => resource.refresh(), SETTLING);
    return () => clearTimeout(timer);
  }, [version, resource]);
  return data;
}

/** Returns the usage since a day of the account, such as `2026-01-31`, by member, kind or day. */
export function useUsage(by: "MEMBER" | "KIND" | "DAY", since: string): Followed<Used> & { refresh: () => void } {
  const { client, accountId } = useLedgerbell();
  return useResource(usageOf(client, accountId, by, { dates: { from: since } }));
}
