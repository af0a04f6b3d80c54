// Data of the screens that have no component in @ledgerbell/react.
import type { Ledgerbell } from "@ledgerbell/client";
import { useCallback, useEffect, useRef, useState } from "react";

/** The state of data that a screen reads. */
export interface Read<T> {
  data: T | null;
  error: Error | null;
  isLoading: boolean;
  refresh: () => void;
}

/** Reads when the screen opens, when `key` changes, and on `refresh`. A response that was overtaken is ignored. */
export function useRead<T>(key: string, read: () => Promise<T>): Read<T> {
  const [state, setState] = useState<Omit<Read<T>, "refresh">>({ data: null, error: null, isLoading: true });
  const [turn, setTurn] = useState(0);
  const latest = useRef(read);
  latest.current = read;
  useEffect(() => {
    let isCurrent = true;
    setState((before) => ({ ...before, isLoading: true }));
    latest.current().then(
      (data) => isCurrent && setState({ data, error: null, isLoading: false }),
      (reason: unknown) => isCurrent && setState((before) => ({ ...before, error: asError(reason), isLoading: false })),
    );
    return () => {
      isCurrent = false;
    };
  }, [key, turn]);
  return { ...state, refresh: useCallback(() => setTurn((turn) => turn + 1), []) };
}

/** Reads again after events of the account, at most once a second. */
export function useLiveRefresh(client: Ledgerbell, accountId: string | null, refresh: () => void): void {
  useEffect(() => {
    const store = client.account(accountId);
    let timer: ReturnType<typeof setTimeout> | null = null;
    const unsubscribe = store.subscribe(() => {
      timer ??= setTimeout(() => {
        timer = null;
        refresh();
      }, 1_000);
    });
    return () => {
      if (timer) clearTimeout(timer);
      unsubscribe();
    };
  }, [client, accountId, refresh]);
}

/** Converts any thrown value to an error. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
