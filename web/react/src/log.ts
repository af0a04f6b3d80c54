// The credit log by a filter: pages, totals, and what is posted meanwhile.
import { RequestError, type Ledgerbell, type Live, type LiveStatus, type LogLine } from "@ledgerbell/client";
import { graphql } from "@ledgerbell/client/graphql";

const PAGE = graphql(`
  query LedgerbellLog($id: ID, $filter: CreditLogFilter, $first: Int!, $after: String) {
    account(id: $id) {
      creditLog(filter: $filter, first: $first, after: $after) {
        liveCursor
        nodes {
          id
          sequence
          occurredAt
          kind
          amount
          balanceAfter
          description
          actor {
            kind
            label
          }
          member {
            id
            name
          }
          session {
            id
            title
            status
          }
          topUp {
            id
            status
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
        totals {
          count
          added
          deducted
          net
        }
      }
    }
  }
`);

const LIVE = graphql(`
  subscription LedgerbellLogLive($id: ID, $filter: CreditLogFilter, $after: LiveCursor) {
    accountUpdated(accountId: $id, after: $after, topics: [CREDIT_ENTRIES], replayAtMost: 1000) {
      cursor
      signal
      entries(filter: $filter) {
        id
        sequence
        occurredAt
        kind
        amount
        balanceAfter
        description
        actor {
          kind
          label
        }
        member {
          id
          name
        }
        session {
          id
          title
          status
        }
        topUp {
          id
          status
        }
      }
    }
  }
`);

/** What a line records. */
export type EntryKind =
  | "TOP_UP"
  | "AUTO_TOP_UP"
  | "GRANT"
  | "SESSION"
  | "SESSION_REFUND"
  | "EXPIRY"
  | "REVERSAL"
  | "CHARGEBACK"
  | "ADJUSTMENT";

/** Which lines are listed; all when empty. As CreditLogFilter of the schema. */
export interface CreditLogFilter {
  actorKinds?: ("MEMBER" | "API_KEY" | "SYSTEM" | "PAYMENT_GATEWAY")[];
  actorIds?: string[];
  /** Calendar days of the account, both inclusive. */
  dates?: { from?: string; to?: string; timezone?: string };
  kinds?: EntryKind[];
  direction?: "ADDED" | "DEDUCTED";
  memberIds?: string[];
  sessionIds?: string[];
  topUpIds?: string[];
  /** From is inclusive, before is exclusive. */
  occurredAt?: { from?: string; before?: string };
  /** Bounds on the absolute amount, both inclusive. */
  amount?: { min?: string; max?: string };
  search?: string;
}

/** Sums over all lines of the filter, whether they are shown or not. */
export interface CreditLogTotals {
  count: string;
  added: string;
  deducted: string;
  net: string;
}

/** What is shown of a log. */
export interface CreditLogState {
  phase: "loading" | "ready" | "missing";
  /** Newest first. */
  lines: readonly LogLine[];
  totals: CreditLogTotals | null;
  /** Whether there are older lines. */
  hasMore: boolean;
  isLoadingMore: boolean;
  live: LiveStatus;
  /** Why it could not be read or followed. Null once that works again. */
  error: Error | null;
}

/** How long a log is followed after its last listener has left, in milliseconds. */
const LINGER = 3_000;
/** Between reads that fail, in milliseconds. */
const PAUSE = 2_000;
/** The same after refused credentials. */
const REFUSED = 15_000;

/** One log by one filter. It has the shape of React's `useSyncExternalStore`. */
export class CreditLogStore {
  #state: CreditLogState = {
    phase: "loading",
    lines: [],
    totals: null,
    hasMore: false,
    isLoadingMore: false,
    live: "stopped",
    error: null,
  };
  #endCursor: string | null = null;
  #listeners = new Set<() => void>();
  #live: Live<unknown> | undefined;
  /** The stretch of following that counts; what belongs to another is passed over. */
  #run: object | undefined;
  #lingering: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly client: Ledgerbell,
    private readonly accountId: string | null,
    private readonly filter: CreditLogFilter,
    private readonly pageSize: number,
  ) {}

  readonly getSnapshot = (): CreditLogState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    const entry = () => listener();
    this.#listeners.add(entry);
    clearTimeout(this.#lingering);
    if (!this.#run) this.#start();
    return () => {
      this.#listeners.delete(entry);
      if (!this.#listeners.size) this.#lingering = setTimeout(() => this.#stop(), LINGER);
    };
  };

  /** Reads the next older lines. */
  async loadMore(): Promise<void> {
    const { hasMore, isLoadingMore } = this.#state;
    const run = this.#run;
    if (!hasMore || isLoadingMore) return;
    this.#set({ isLoadingMore: true });
    try {
      const page = await this.#read(this.#endCursor);
      if (this.#run !== run || !page) return;
      this.#endCursor = page.pageInfo.endCursor;
      const lines = [...this.#state.lines, ...page.nodes];
      this.#set({ lines, hasMore: page.pageInfo.hasNextPage, error: null });
    } catch (error) {
      if (this.#run === run) this.#set({ error: error as Error });
    } finally {
      this.#set({ isLoadingMore: false });
    }
  }

  /** Reads it again from the newest line. */
  refresh(): void {
    this.#stop();
    this.#start();
  }

  #stop(): void {
    this.#run = undefined;
    this.#live?.stop();
    this.#live = undefined;
    this.#set({ live: "stopped" });
  }

  #start(): void {
    const run = (this.#run = {});
    this.#set({ live: "connecting" });
    void this.#follow(run).catch((error: unknown) => {
      if (this.#run === run) this.#set({ error: error as Error, live: "stopped" });
    });
  }

  async #follow(run: object): Promise<void> {
    const cursor = await this.#show(run);
    if (this.#run !== run || cursor === null) return;
    const variables = { id: this.accountId, filter: this.filter, after: cursor };
    const live = this.client.live(LIVE, variables);
    this.#live = live;
    live.status.subscribe((status) => this.#run === run && this.#set({ live: status }));
    for await (const message of live) {
      if (this.#run !== run) return;
      if (message.type === "readAgain") await this.#show(run);
      else if (message.type === "event") this.#add(message.event.entries ?? []);
    }
  }

  /** Reads the newest lines until that works; returns where to go on from, or null where there is nothing to follow. */
  async #show(run: object): Promise<string | null> {
    while (this.#run === run) {
      try {
        const page = await this.#read(null);
        if (this.#run !== run) return null;
        if (!page) {
          this.#set({ phase: "missing", lines: [], totals: null, hasMore: false, error: null, live: "stopped" });
          return null;
        }
        this.#endCursor = page.pageInfo.endCursor;
        const { nodes: lines, totals, pageInfo } = page;
        this.#set({ phase: "ready", lines, totals, hasMore: pageInfo.hasNextPage, error: null });
        return page.liveCursor;
      } catch (error) {
        if (this.#run !== run) return null;
        if (!(error instanceof RequestError && (error.isTemporary || error.kind === "unauthenticated"))) throw error;
        this.#set({ error });
        const pause = error.isTemporary ? PAUSE : REFUSED;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    return null;
  }

  async #read(after: string | null) {
    const { accountId: id, filter, pageSize: first } = this;
    return (await this.client.query(PAGE, { id, filter, first, after })).account?.creditLog ?? null;
  }

  #add(entries: readonly LogLine[]): void {
    // A page may have lines already that are told after it.
    const newest = BigInt(this.#state.lines[0]?.sequence ?? -1);
    const added = entries.filter(({ sequence }) => BigInt(sequence) > newest);
    if (!added.length) return;
    const { lines, totals } = this.#state;
    this.#set({ lines: [...[...added].reverse(), ...lines], totals: totals && addedTo(totals, added) });
  }

  #set(change: Partial<CreditLogState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Credits have at most 4 digits after the point. */
const DIGITS = 4;

/** Returns an exact amount as a whole number of its smallest parts. */
function parts(amount: string): bigint {
  const [whole = "0", fraction = ""] = amount.split(".");
  return BigInt(whole + fraction.padEnd(DIGITS, "0"));
}

function amountOf(parts: bigint): string {
  const digits = String(parts < 0n ? -parts : parts).padStart(DIGITS + 1, "0");
  const fraction = digits.slice(-DIGITS).replace(/0+$/, "");
  return `${parts < 0n ? "-" : ""}${digits.slice(0, -DIGITS)}${fraction && `.${fraction}`}`;
}

/** Totals with these lines besides. */
export function addedTo(totals: CreditLogTotals, lines: readonly { amount: string }[]): CreditLogTotals {
  let [added, deducted] = [parts(totals.added), parts(totals.deducted)];
  for (const { amount } of lines) {
    const by = parts(amount);
    if (by > 0n) added += by;
    else deducted -= by;
  }
  return {
    count: String(BigInt(totals.count) + BigInt(lines.length)),
    added: amountOf(added),
    deducted: amountOf(deducted),
    net: amountOf(added - deducted),
  };
}
