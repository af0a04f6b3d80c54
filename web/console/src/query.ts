// Data of the screens that have no component in @ledgerbell/react.
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

/** One page of a list, as connections of the API have it. */
export interface Page<T> {
  nodes: readonly T[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

/** Makes an event's items part of a list. `hasMore` is false if the list ends here. Making it twice changes nothing more. */
type Change<T> = (items: readonly T[], hasMore: boolean) => readonly T[];

/** The state of a list that grows page by page. `refresh` reads as many items again as are shown. */
export interface Pages<T> extends Read<readonly T[]> {
  hasMore: boolean;
  loadMore: () => void;
  change: (change: Change<T>) => void;
}

interface Listed<T> {
  data: readonly T[] | null;
  error: Error | null;
  isLoading: boolean;
  hasMore: boolean;
  cursor: string | null;
}

/** The maximum number of items that the API returns at once. */
const MOST = 100;
/** The number of short pages that are read before the viewer is asked whether to go on. */
const READS = 10;

/**
 * Reads a list by its cursors, `size` items at a time. It starts over when `key` changes. A response that was overtaken
 * is ignored.
 */
export function usePages<T>(
  key: string,
  size: number,
  read: (first: number, after: string | null) => Promise<Page<T> | null | undefined>,
): Pages<T> {
  const [state, setState] = useState<Listed<T>>({
    data: null,
    error: null,
    isLoading: true,
    hasMore: false,
    cursor: null,
  });
  const latest = useRef({ read, state });
  latest.current = { read, state };
  // A response may be older than the changes that came while it was on its way: they are made again.
  const run = useRef<{ changes: Change<T>[] }>({ changes: [] });
  const start = useCallback(async (wanted: number, isMore: boolean) => {
    const mine: { changes: Change<T>[] } = (run.current = { changes: [] });
    setState((state) => ({ ...state, isLoading: true, error: null }));
    try {
      const items: T[] = [];
      let cursor = isMore ? latest.current.state.cursor : null;
      let hasMore = true;
      // Pages of a list with a rare filter may be short or empty, and not the last.
      for (let reads = 0; hasMore && items.length < wanted && reads < READS + wanted / MOST; reads += 1) {
        const page = await latest.current.read(Math.min(MOST, wanted - items.length), cursor);
        if (run.current !== mine) return;
        items.push(...(page?.nodes ?? []));
        cursor = page?.pageInfo.endCursor ?? null;
        hasMore = page?.pageInfo.hasNextPage ?? false;
      }
      setState(({ data }) => {
        const read: readonly T[] = isMore ? [...(data ?? []), ...items] : items;
        const changed = mine.changes.reduce((items, change) => change(items, hasMore), read);
        return { data: changed, error: null, isLoading: false, hasMore, cursor };
      });
    } catch (reason) {
      if (run.current === mine) setState((state) => ({ ...state, error: asError(reason), isLoading: false }));
    }
  }, []);
  useEffect(() => {
    void start(size, false);
    return () => {
      run.current = { changes: [] };
    };
  }, [key, size, start]);
  return {
    ...state,
    refresh: useCallback(
      () => void start(Math.max(size, latest.current.state.data?.length ?? 0), false),
      [size, start],
    ),
    loadMore: useCallback(() => void start(size, true), [size, start]),
    change: useCallback((change) => {
      run.current.changes.push(change);
      setState((state) => (state.data ? { ...state, data: change(state.data, state.hasMore) } : state));
    }, []),
  };
}

/** Returns a function that calls `act` soon, at most once a second. */
export function useThrottled(act: () => void): () => void {
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  useEffect(
    () => () => {
      if (timer.current) clearTimeout(timer.current);
      timer.current = null;
    },
    [],
  );
  return useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = null;
      act();
    }, 1_000);
  }, [act]);
}

/** Converts any thrown value to an error. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
