// Live data without gaps: a page is read together with its place in the account's stream of events, and every event brings the
// next place. Whenever the connection breaks, the client comes back by itself and goes on exactly there.
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
      // The client sends its payload again for each connection: so that is where the place is kept.
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

/**
 * Shows a page and keeps it up to date. `read` queries the page with the `liveCursor` of the list that it shows, as
 * `creditLog { liveCursor }`: the account's own is moved by any other query, where a cache keeps the list. `subscribe`
 * subscribes from that cursor on and gives what ends it. An event may tell what the page shows already: apply it by id, and of
 * balances keep the one with the larger version.
 */
export async function keepUpToDate<Page extends { liveCursor: string }, Event extends LiveEvent>(how: {
  read: () => Promise<Page>;
  subscribe: (after: string, next: (event: Event) => void) => () => void;
  show: (page: Page) => void;
  apply: (event: Event) => void;
}): Promise<() => void> {
  const page = await how.read();
  how.show(page);
  // One after the other: what happens while a page is read again is applied to that page.
  let last = Promise.resolve();
  return how.subscribe(page.liveCursor, (event) => {
    last = last.then(async () => {
      if (event.signal === "ITEM") how.apply(event);
      if (event.signal === "RESET") how.show(await how.read());
    });
  });
}
