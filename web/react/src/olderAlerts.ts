// Alerts that the account's store does not hold: older ones, and archived ones.
import type { InboxItem } from "@ledgerbell/client";
import type { VariablesOf } from "@ledgerbell/client/graphql";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { ALERTS } from "./documents/inbox.js";
import { useAccount } from "./hooks.js";
import { useLedgerbell } from "./provider.js";

/** Alerts per read, and the maximum number of reads until one returns something to show. */
const [PAGE, TRIES] = [50, 20];

/** Which alerts are listed. */
export type AlertView = "all" | "unread" | "archived";

/** Older alerts, newest first. */
export interface OlderAlerts {
  items: readonly InboxItem[];
  hasMore: boolean;
  isLoading: boolean;
  error: Error | null;
  loadMore: () => void;
  /** Shows alerts with their new marks. */
  put: (alertIds: readonly string[], change: Partial<Pick<InboxItem, "readAt" | "archivedAt">>) => void;
}

type Filter = NonNullable<VariablesOf<typeof ALERTS>["filter"]>;
type Kind = NonNullable<Filter["kinds"]>[number];
type Severity = NonNullable<Filter["severities"]>[number];

interface State {
  items: readonly InboxItem[];
  cursor: string | null;
  hasMore: boolean;
  isLoading: boolean;
  error: Error | null;
}

const NONE: State = { items: [], cursor: null, hasMore: true, isLoading: false, error: null };

/**
 * Returns alerts besides those of `useInbox`, of one kind and importance; of all where these are empty. Archived ones
 * are read at once, older ones on demand.
 */
export function useOlderAlerts(view: AlertView, kind: string, severity: string): OlderAlerts {
  const { client, accountId } = useLedgerbell();
  const { inbox, phase } = useAccount();
  const [state, setState] = useState<State>(NONE);
  const run = useRef({});
  const latest = useRef({ state, inbox });
  latest.current = { state, inbox };
  const loadMore = useCallback(async () => {
    const mine = run.current;
    setState((state) => ({ ...state, isLoading: true, error: null }));
    try {
      let { cursor } = latest.current.state;
      let [found, hasMore] = [[] as InboxItem[], true];
      for (let tries = 0; tries < TRIES && hasMore && !found.length; tries += 1) {
        const filter: Filter = {
          ...(view === "archived" ? { includeArchived: true } : { unreadOnly: view === "unread" }),
          ...(kind && { kinds: [kind as Kind] }),
          ...(severity && { severities: [severity as Severity] }),
        };
        const variables = { id: accountId, filter, first: PAGE, after: cursor };
        const page = (await client.query(ALERTS, variables)).account?.alerts;
        const known = new Set(latest.current.inbox.map(({ id }) => id));
        found = (page?.items ?? []).filter((item) =>
          view === "archived" ? item.archivedAt !== null : !known.has(item.id),
        );
        cursor = page?.pageInfo.endCursor ?? null;
        hasMore = page?.pageInfo.hasNextPage ?? false;
      }
      if (run.current !== mine) return;
      setState((state) => ({ ...NONE, items: [...state.items, ...found], cursor, hasMore }));
    } catch (error) {
      if (run.current === mine) setState((state) => ({ ...state, isLoading: false, error: error as Error }));
    }
  }, [client, accountId, view, kind, severity]);
  useEffect(() => {
    run.current = {};
    latest.current = { ...latest.current, state: NONE };
    setState(NONE);
    if (view === "archived" && phase === "ready") void loadMore();
  }, [view, phase, loadMore]);
  const put = useCallback<OlderAlerts["put"]>((alertIds, change) => {
    const ids = new Set(alertIds);
    setState((state) => ({
      ...state,
      items: state.items.map((item) => (ids.has(item.alert.id) ? { ...item, ...change } : item)),
    }));
  }, []);
  return useMemo(() => {
    const known = new Set(inbox.map(({ id }) => id));
    const items = state.items.filter(
      (item) => !known.has(item.id) && (view === "archived") === (item.archivedAt !== null),
    );
    return { ...state, items, loadMore: () => void loadMore(), put };
  }, [state, inbox, view, loadMore, put]);
}
