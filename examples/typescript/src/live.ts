// Live data without gaps: a page is read together with its position in the account's stream of events. Every event contains the
// next position. When the connection breaks, the client reconnects automatically and continues at exactly that position.
import type { Client } from "graphql-ws";

/** What every live field answers; select at least these. */
export interface LiveEvent {
  cursor: string;
  signal: "ITEM" | "CAUGHT_UP" | "POSITION" | "RESET";
}

/**
 * The same client, whose subscriptions go on after their last event when it reconnects. Their documents declare `$after` and pass it
 * as `after`. Put it beneath whatever you use: urql's subscriptionExchange, Apollo's GraphQLWsLink, or nothing.
 */
export function resuming(client: Client): Client {
  return {
    ...client,
    subscribe(payload, sink) {
      // The client sends its payload again for each connection, so the position is stored there.
      const kept = { ...payload, variables: { ...payload.variables } };
      return client.subscribe<Record<string, unknown>, unknown>(kept, {
        next: (result) => {
          const [event] = Object.values(result.data ?? {}) as (Partial<LiveEvent> | null)[];
          if (event?.cursor) kept.variables["after"] = event.cursor;
          sink.next(result as Parameters<typeof sink.next>[0]);
        },
        error: (reason) => sink.error(reason),
        complete: () => sink.complete(),
      });
    },
  };
}

/** Between reads of a page that fail, in milliseconds. */
const PAUSE = 2_000;

/**
 * Shows a page and keeps it up to date, until what is returned is called, which may be at once. `read` queries the page with the
 * `liveCursor` of the list that it shows, as `creditLog { liveCursor }`: the account's own is moved by any other query, where a cache
 * keeps the list. `subscribe` subscribes from that cursor on and gives what ends it. An event may tell what the page shows already:
 * apply it by id, and of balances keep the one with the larger version. `failed` is told of each read that failed, which is tried
 * again, and of what `show` and `apply` have thrown, after which the page is read again.
 */
export function keepUpToDate<Page extends { liveCursor: string }, Event extends LiveEvent>(how: {
  read: () => Promise<Page>;
  subscribe: (after: string, next: (event: Event) => void) => () => void;
  show: (page: Page) => void;
  apply: (event: Event) => void;
  failed: (reason: unknown) => void;
}): () => void {
  let isStopped = false;
  let unsubscribe = () => {};

  /** Shows the page as it is now, and gives its cursor; undefined when there is nothing more to show it to. */
  const show = async () => {
    while (!isStopped) {
      try {
        const page = await how.read();
        if (isStopped) break;
        how.show(page);
        return page.liveCursor;
      } catch (reason) {
        if (isStopped) break;
        how.failed(reason);
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
    return undefined;
  };

  const take = async ({ signal }: Event, apply: () => void) => {
    if (isStopped) return;
    if (signal === "RESET") await show();
    if (signal !== "ITEM") return;
    try {
      apply();
    } catch (reason) {
      how.failed(reason);
      await show();
    }
  };

  void show().then((after) => {
    if (after === undefined) return;
    // One after the other: events that arrive while a page is read again are applied to that page.
    let last = Promise.resolve();
    unsubscribe = how.subscribe(after, (event) => {
      last = last.then(() => take(event, () => how.apply(event)));
    });
  });
  return () => {
    isStopped = true;
    unsubscribe();
  };
}
