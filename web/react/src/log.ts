// The credit log by a filter: pages, totals, and new lines.
import type { EventOf, Ledgerbell, Live, LogLine } from "@ledgerbell/client";
import type { ResultOf } from "@ledgerbell/client/graphql";

import { LOG, LOG_LIVE, OLDER_LOG } from "./documents/log.js";
import { Follower } from "./follow.js";
import type { CreditLogFilter, CreditLogState } from "./model.js";
import { addedTo } from "./sums.js";

type LogEvent = EventOf<ResultOf<typeof LOG_LIVE>>;

/** The lines of one request. */
interface Page {
  /** The cursor before them; null for the newest. */
  after: string | null;
  size: number;
  lines: readonly LogLine[] | null;
}

/** The approximate number of lines in memory. Others are read again when they come into view. */
const KEPT = 2_000;

/** One log with one filter. Can be passed to React's `useSyncExternalStore`. */
export class CreditLogStore extends Follower<CreditLogState, LogEvent> {
  #pages: Page[] = [];
  #endCursor: string | null = null;
  /** A different object after each restart. */
  #epoch = {};
  readonly #reading = new Set<Page>();

  constructor(
    private readonly client: Ledgerbell,
    private readonly accountId: string | null,
    private readonly filter: CreditLogFilter,
    private readonly pageSize: number,
  ) {
    super({
      phase: "loading",
      lines: [],
      totals: null,
      hasMore: false,
      isLoadingMore: false,
      live: "stopped",
      error: null,
    });
  }

  /** Reads the next older lines. */
  async loadMore(): Promise<void> {
    const { hasMore, isLoadingMore } = this.state;
    const epoch = this.#epoch;
    if (!hasMore || isLoadingMore) return;
    this.set({ isLoadingMore: true });
    const after = this.#endCursor;
    try {
      const page = await this.#older(after, this.pageSize);
      if (this.#epoch !== epoch || !page) return;
      this.#endCursor = page.pageInfo.endCursor;
      this.#pages.push({ after, size: page.nodes.length, lines: page.nodes });
      this.#show({ hasMore: page.pageInfo.hasNextPage, error: null });
    } catch (error) {
      if (this.#epoch === epoch) this.set({ error: error as Error });
    } finally {
      this.set({ isLoadingMore: false });
    }
  }

  /** Sets which lines are in view. Lines that were dropped are read again, and others are dropped. */
  keep(from: number, to: number): void {
    let start = 0;
    let kept = this.#pages.reduce((sum, page) => sum + (page.lines?.length ?? 0), 0);
    let hasChanged = false;
    const margin = this.pageSize * 4;
    for (const page of this.#pages) {
      const isNear = start < to + margin && start + page.size > from - margin;
      if (page.lines && !isNear && page.after !== null && kept > KEPT) {
        kept -= page.size;
        page.lines = null;
        hasChanged = true;
      } else if (!page.lines && isNear) void this.#fill(page);
      start += page.size;
    }
    if (hasChanged) this.#show({});
  }

  protected async read(isCurrent: () => boolean): Promise<string | null> {
    const { accountId: id, filter, pageSize: first } = this;
    const page = (await this.client.query(LOG, { id, filter, first, after: null })).account?.creditLog ?? null;
    if (!isCurrent()) return null;
    this.#epoch = {};
    if (!page) {
      this.#pages = [];
      this.#show({ phase: "missing", totals: null, hasMore: false });
      return null;
    }
    this.#endCursor = page.pageInfo.endCursor;
    this.#pages = [{ after: null, size: page.nodes.length, lines: page.nodes }];
    this.#show({ phase: "ready", totals: page.totals, hasMore: page.pageInfo.hasNextPage });
    return page.liveCursor;
  }

  protected open(after: string): Live<LogEvent> {
    return this.client.live(LOG_LIVE, { id: this.accountId, filter: this.filter, after });
  }

  protected apply({ entries }: LogEvent): boolean {
    const head = this.#pages[0];
    // A page may already contain lines whose events follow.
    const newest = BigInt(head?.lines?.[0]?.sequence ?? -1);
    const added = (entries ?? []).filter(({ sequence }) => BigInt(sequence) > newest);
    if (!added.length || !head) return true;
    const lines = [...[...added].reverse(), ...(head.lines ?? [])];
    this.#pages[0] = { after: null, size: lines.length, lines };
    const { totals } = this.state;
    this.#show({ totals: totals && addedTo(totals, added) });
    return true;
  }

  #show(change: Partial<CreditLogState>): void {
    const lines: (LogLine | null)[] = [];
    for (const page of this.#pages)
      for (let at = 0; at < page.size; at += 1) lines.push(page.lines ? (page.lines[at] ?? null) : null);
    this.set({ ...change, lines });
  }

  async #older(after: string | null, first: number) {
    const { accountId: id, filter } = this;
    return (await this.client.query(OLDER_LOG, { id, filter, first, after })).account?.creditLog ?? null;
  }

  async #fill(page: Page): Promise<void> {
    if (this.#reading.has(page)) return;
    this.#reading.add(page);
    const epoch = this.#epoch;
    try {
      const read = await this.#older(page.after, page.size);
      if (this.#epoch !== epoch || !read) return;
      page.lines = read.nodes;
      this.#show({});
    } catch (error) {
      if (this.#epoch === epoch) this.set({ error: error as Error });
    } finally {
      this.#reading.delete(page);
    }
  }
}
