// A store for each account: read once, kept up to date by two subscriptions, whoever listens.
import type { Ledgerbell } from "./client.js";
import { ACCOUNT, ARCHIVE, INBOX, PAGE, READ } from "./documents.js";
import { RequestError, errorOf } from "./errors.js";
import type { Live, LiveStatus } from "./live.js";
import type { AccountState, InboxItem, LogLine, Session, TopUp } from "./model.js";
import { Pace } from "./pace.js";
import { Listeners } from "./value.js";

/** How much a store keeps. */
export interface AccountOptions {
  /** Lines of the log. What is read at once are 100 at most; more come as they are posted. 50 when left out. */
  log?: number;
  /** Alerts of the inbox, at most 100. 20 when left out. */
  inbox?: number;
}

/** What was read, without marks that are under way. */
type Base = Omit<AccountState, "live" | "error">;

/** A mark that the server has not confirmed. */
interface Mark {
  /** Null: all that are shown. */
  ids: ReadonlySet<string> | null;
  what: "readAt" | "archivedAt";
  at: string | null;
}

/** One stretch of following. */
interface Run {
  pace: Pace;
  reading?: Promise<void> | undefined;
}

/** How long a store goes on after its last listener has left, in milliseconds: pages come and go, and React's StrictMode does both at once. */
const LINGER = 3_000;

/** How long after refused credentials it is read again, in milliseconds. */
const REFUSED = 15_000;

const isUnderWay = ({ status }: TopUp) => ["PENDING", "PROCESSING", "REQUIRES_ACTION"].includes(status);
const isProcessing = ({ status }: Session) => status === "PROCESSING";
const isInInbox = ({ archivedAt }: InboxItem) => archivedAt === null;

const NOTHING: Base = {
  phase: "loading",
  account: null,
  balance: null,
  log: [],
  inbox: [],
  unreadCount: 0,
  topUps: [],
  sessions: [],
};

/**
 * One account, kept up to date while anybody listens. It has the shape of React's `useSyncExternalStore`:
 * `useSyncExternalStore(store.subscribe, store.getSnapshot)`.
 */
export class AccountStore {
  readonly #client: Ledgerbell;
  readonly #id: string | null;
  readonly #size: Required<AccountOptions>;
  readonly #listeners = new Listeners<AccountState>();
  #base = NOTHING;
  #marks: readonly Mark[] = [];
  #error: Error | null = null;
  #state: AccountState = { ...NOTHING, live: "stopped", error: null };
  /** Where each subscription goes on; undefined before the account was read. */
  #cursors: Record<"account" | "inbox", string> | undefined;
  #hasInbox = false;
  #lives: Live<unknown>[] = [];
  /** The run in progress; another object for each. */
  #run: Run | undefined;
  #lingering: ReturnType<typeof setTimeout> | undefined;

  /** Made by `client.account()`. */
  constructor(client: Ledgerbell, id: string | null, options: AccountOptions) {
    this.#client = client;
    this.#id = id;
    this.#size = { log: options.log ?? 50, inbox: options.inbox ?? 20 };
  }

  /** What is shown now. The same object until something changes. */
  readonly getSnapshot = (): AccountState => this.#state;

  /** Keeps the store up to date until what is returned is called, and calls `listener` after each change. */
  readonly subscribe = (listener: (state: AccountState) => void): (() => void) => {
    const remove = this.#listeners.add(listener);
    clearTimeout(this.#lingering);
    if (!this.#run) this.#start();
    return () => {
      remove();
      if (this.#listeners.size > 0) return;
      clearTimeout(this.#lingering);
      this.#lingering = setTimeout(() => this.stop(), LINGER);
    };
  };

  /** Marks alerts as read, or as not read. Shown at once; taken back, and thrown, when it is refused. */
  async markRead(alertIds: readonly string[], read = true): Promise<void> {
    const mark: Mark = { ids: new Set(alertIds), what: "readAt", at: read ? new Date().toISOString() : null };
    await this.#marked(mark, async () => {
      const input = { ...this.#scope(), alertIds: [...alertIds], read };
      return (await this.#client.mutate(READ, { input }, { retry: true })).markAlertsRead;
    });
  }

  /** Marks all that is shown, and all before it, as read. */
  async markAllRead(): Promise<void> {
    const newest = this.#state.inbox[0];
    if (!newest) return;
    await this.#marked({ ids: null, what: "readAt", at: new Date().toISOString() }, async () => {
      const input = { ...this.#scope(), upTo: newest.alert.id };
      return (await this.#client.mutate(READ, { input }, { retry: true })).markAlertsRead;
    });
  }

  /** Puts alerts away, or back. Shown at once; taken back, and thrown, when it is refused. */
  async archive(alertIds: readonly string[], archived = true): Promise<void> {
    const mark: Mark = { ids: new Set(alertIds), what: "archivedAt", at: archived ? new Date().toISOString() : null };
    await this.#marked(mark, async () => {
      const input = { ...this.#scope(), alertIds: [...alertIds], archived };
      return (await this.#client.mutate(ARCHIVE, { input }, { retry: true })).archiveAlerts;
    });
  }

  /** Reads all of it again and follows it from there, for instance after an error that was not tried again. */
  refresh(): void {
    const isUsed = this.#run !== undefined;
    this.stop();
    this.#cursors = undefined;
    if (isUsed) this.#start();
  }

  /** Tries at once what waits to be tried again. */
  nudge(): void {
    this.#run?.pace.nudge();
  }

  /** Stops following. What was read stays, and the next listener has it followed from where it was. */
  stop(): void {
    clearTimeout(this.#lingering);
    this.#run = undefined;
    for (const live of this.#lives.splice(0)) live.stop();
    this.#show();
  }

  #scope(): { accountId?: string } {
    return this.#id === null ? {} : { accountId: this.#id };
  }

  #start(): void {
    const run = (this.#run = { pace: new Pace() } as Run);
    void (async () => {
      if (!this.#cursors) await this.#read(run);
      if (this.#run !== run || !this.#cursors) return;
      this.#follow(
        run,
        "account",
        this.#client.live(ACCOUNT, { id: this.#id, after: this.#cursors.account }),
        (event) => {
          this.#apply(event);
        },
      );
      if (!this.#hasInbox) return;
      this.#follow(run, "inbox", this.#client.live(INBOX, { id: this.#id, after: this.#cursors.inbox }), (event) => {
        // Which they are is not told.
        if (event.upTo) return this.#read(run);
        return this.#put(event.items, event.unreadCount);
      });
    })();
    this.#show();
  }

  #follow<Event>(run: object, name: "account" | "inbox", live: Live<Event>, apply: (event: Event) => unknown): void {
    this.#lives.push(live);
    live.status.subscribe(() => this.#show());
    void (async () => {
      for await (const message of live) {
        // What happens while all is read again is applied to what is read.
        while (this.#run?.reading) await this.#run.reading;
        if (this.#run !== run) return;
        if (message.type === "event") await apply(message.event);
        else if (message.type === "readAgain") await this.#read(this.#run);
        if (this.#run !== run) return;
        if (this.#cursors) this.#cursors[name] = message.cursor;
      }
    })().catch((error: unknown) => {
      if (this.#run === run) this.#fail(errorOf(error));
    });
  }

  /** Reads all of it, again and again until that works or is of no use. */
  #read(run: Run): Promise<void> {
    return (run.reading ??= (async () => {
      while (this.#run === run) {
        try {
          const { log, inbox } = this.#size;
          const page = await this.#client.query(PAGE, { id: this.#id, log: Math.min(log, 100), inbox });
          if (this.#run === run) this.#take(page.account, page.viewer.member !== null);
          return;
        } catch (error) {
          if (this.#run !== run) return;
          this.#fail(errorOf(error));
          const { kind, isTemporary } = error as Partial<RequestError>;
          if (!isTemporary && kind !== "unauthenticated") return;
          // Credentials that are refused are not sent every few seconds.
          await run.pace.wait(isTemporary ? 0 : REFUSED);
        }
      }
    })().finally(() => (run.reading = undefined)));
  }

  #take(account: Page | null, hasInbox: boolean): void {
    this.#error = null;
    this.#hasInbox = hasInbox;
    if (!account) {
      this.#base = { ...NOTHING, phase: "missing" };
      return this.#show();
    }
    const { id, name, status, frozenReason, balance, liveCursor, creditLog, alerts, topUps, sessions } = account;
    // Each message moves its own cursor on; a page that was read in between moves none back.
    this.#cursors ??= { account: liveCursor, inbox: liveCursor };
    this.#base = {
      phase: "ready",
      account: { id, name, status, frozenReason },
      balance,
      log: creditLog?.nodes ?? [],
      inbox: alerts?.items ?? [],
      unreadCount: alerts?.unreadCount ?? 0,
      topUps: topUps?.nodes ?? [],
      sessions: sessions?.nodes ?? [],
    };
    this.#show();
  }

  #apply({ account, entries, topUps, sessions }: AccountEvent): void {
    const base = { ...this.#base };
    if (account) {
      const { id, name, status, frozenReason, balance } = account;
      base.account = { id, name, status, frozenReason };
      if (BigInt(balance.version) > BigInt(base.balance?.version ?? -1)) base.balance = balance;
    }
    if (entries?.length) base.log = joined(base.log, entries).slice(0, this.#size.log);
    if (topUps.length) base.topUps = merged(base.topUps, topUps, isUnderWay, ({ createdAt }) => createdAt);
    if (sessions.length) base.sessions = merged(base.sessions, sessions, isProcessing, ({ endsAt }) => endsAt);
    this.#base = base;
    this.#show();
  }

  #put(items: readonly InboxItem[], unreadCount: number | null): void {
    const inbox = merged(this.#base.inbox, items, isInInbox, ({ alert }) => alert.raisedAt).slice(0, this.#size.inbox);
    this.#base = { ...this.#base, inbox, unreadCount: unreadCount ?? this.#base.unreadCount };
    this.#show();
  }

  async #marked(mark: Mark, send: () => Promise<Marked | null>): Promise<void> {
    this.#marks = [...this.#marks, mark];
    this.#show();
    try {
      const answer = await send();
      if (mark.ids === null) {
        const inbox = this.#base.inbox.map((item) => ({ ...item, readAt: item.readAt ?? mark.at }));
        this.#base = { ...this.#base, inbox };
      }
      this.#put(answer?.items ?? [], answer?.unreadCount ?? null);
    } finally {
      this.#marks = this.#marks.filter((other) => other !== mark);
      this.#show();
    }
  }

  #fail(error: Error): void {
    this.#error = error;
    this.#show();
  }

  /** Makes a new state of what was read and what is marked. */
  #show(): void {
    let { inbox, unreadCount } = this.#base;
    for (const { ids, what, at } of this.#marks) {
      const isUnread = (item: InboxItem) => Number(item.readAt === null && item.archivedAt === null);
      inbox = inbox.map((item) => {
        if (ids && !ids.has(item.alert.id)) return item;
        const marked = { ...item, [what]: at && (item[what] ?? at) };
        unreadCount += isUnread(marked) - isUnread(item);
        return marked;
      });
      if (!ids) unreadCount = 0;
    }
    if (!inbox.every(isInInbox)) inbox = inbox.filter(isInInbox);
    const statuses = new Set<LiveStatus>(this.#lives.map((live) => live.status.get()));
    const worst = (["stopped", "offline", "connecting", "live"] as const).find((status) => statuses.has(status));
    const isUsed = this.#run && this.#base.phase !== "missing";
    const live = worst ?? (isUsed ? (this.#error ? "offline" : "connecting") : "stopped");
    this.#state = { ...this.#base, inbox, unreadCount: Math.max(0, unreadCount), live, error: this.#error };
    this.#listeners.tell(this.#state);
  }
}

type Answer<Document> = Document extends { __apiType?: (variables: never) => infer Result } ? Result : never;
type Page = NonNullable<Answer<typeof PAGE>["account"]>;
type AccountEvent = Answer<typeof ACCOUNT>["accountUpdated"];
type Marked = Pick<NonNullable<Answer<typeof READ>["markAlertsRead"]>, "items" | "unreadCount">;

/** The log with new lines, newest first, each once. Lines come in order, and perhaps some of them again. */
function joined(log: readonly LogLine[], entries: readonly LogLine[]): readonly LogLine[] {
  const newest = BigInt(log[0]?.sequence ?? -1);
  const added = entries.filter(({ sequence }) => BigInt(sequence) > newest);
  return added.length ? [...added.reverse(), ...log] : log;
}

/** A list with things as they are now, each once and only while `stays`; newest first by an instant, then by id. */
function merged<Thing extends { id: string }>(
  list: readonly Thing[],
  changed: readonly Thing[],
  stays: (thing: Thing) => boolean,
  instant: (thing: Thing) => string,
): readonly Thing[] {
  const all = new Map(list.map((thing) => [thing.id, thing]));
  for (const thing of changed) {
    if (stays(thing)) all.set(thing.id, thing);
    else all.delete(thing.id);
  }
  const key = (thing: Thing) => instant(thing) + thing.id;
  return [...all.values()].sort((a, b) => (key(a) < key(b) ? 1 : -1));
}
