// Many tabs of one member share the connection of one of them.
//
// The tab that holds a Web Lock leads: it runs the operations of all, and passes results on by a BroadcastChannel. Each subscription
// keeps its cursor in its own tab, so whatever becomes of the leader, it goes on elsewhere without a gap.
import { RequestError, errorOf } from "./errors.js";
import type { Tokens } from "./tokens.js";
import { MOVED, type Operation, type Result, type Sink, type Transport } from "./transport.js";

/** What tabs find each other by; browsers have both. */
export interface TabsBy {
  locks: Pick<LockManager, "request">;
  BroadcastChannel: typeof BroadcastChannel;
  /** Milliseconds of silence after which a leader is asked for a sign of life, and then until it is replaced; 5,000. */
  patience?: number;
}

type Message =
  /** From followers: run this, end that, find out whether the connection works, are you there and do you run these? */
  | { type: "open"; id: string; operation: Operation }
  | { type: "stop"; id: string }
  | { type: "probe" }
  | { type: "ask"; ids: string[] }
  /** From the leader: a result, an end, yes I am. */
  | { type: "next"; id: string; result: Result }
  | { type: "ended"; id: string; reason: Reason }
  | { type: "here"; isNew?: boolean };

/** An error that a channel can carry. Null: none; undefined: the connection was replaced. */
type Reason = Pick<RequestError, "kind" | "message" | "status" | "errors"> | null | undefined;

interface Mine {
  operation: Operation;
  sink: Sink;
  /** Ends it, where it runs in this tab. */
  stop?: () => void;
}

/** The connection of one tab, its own or a leader's. */
export class Tabs implements Transport {
  readonly #tab = Math.random().toString(36).slice(2);
  readonly #mine = new Map<string, Mine>();
  /** Operations that this tab runs for others. */
  readonly #theirs = new Map<string, () => void>();
  readonly #watched = new Set<string>();
  #count = 0;
  #joining: Promise<void> | undefined;
  #name = "";
  #channel: BroadcastChannel | undefined;
  #isLeader = false;
  #hasAsked = false;
  #watch: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;
  #leave = () => {};
  /** Held locks are held until this is fulfilled. */
  readonly #left = new Promise<void>((resolve) => (this.#leave = resolve));

  constructor(
    private readonly inner: Transport,
    private readonly tokens: Tokens,
    private readonly url: string,
    private readonly by: TabsBy,
  ) {}

  subscribe(operation: Operation, sink: Sink): () => void {
    const id = `${this.#tab}/${(this.#count += 1)}`;
    const mine: Mine = { operation, sink };
    this.#mine.set(id, mine);
    this.#join().then(
      () => this.#mine.has(id) && this.#run(id, mine),
      (error: unknown) => this.#end(id, error),
    );
    return () => {
      if (this.#mine.delete(id)) this.#drop(id, mine);
    };
  }

  probe(): void {
    if (this.#isLeader || !this.#channel) this.inner.probe();
    else this.#say({ type: "probe" });
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#watch);
    this.#leave();
    this.#channel?.close();
    this.inner.close();
  }

  /** Finds the others: those of the same member at the same address. */
  #join(): Promise<void> {
    return (this.#joining ??= (async () => {
      const { subject } = await this.tokens.get();
      // Whose an opaque credential is cannot be seen, so its results are shared with none.
      if (subject === null) return;
      this.#name = `ledgerbell ${this.url} ${subject}`;
      this.#channel = new this.by.BroadcastChannel(this.#name);
      this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#hear(data);
      // By this lock the leader sees that a tab has gone.
      await this.#hold(`${this.#name} ${this.#tab}`, {}, () => {});
      await this.#hold(this.#name, { ifAvailable: true }, (isMine) => isMine && this.#lead());
      if (!this.#isLeader) void this.#hold(this.#name, {}, () => this.#lead());
      this.#watch = setInterval(() => this.#ask(), this.by.patience ?? 5_000);
    })().catch((error: unknown) => {
      this.#joining = undefined;
      throw error;
    }));
  }

  /** Asks for a lock; returns once it is held, or is not to be had. It is held for as long as this tab is there. */
  #hold(name: string, options: LockOptions, then: (isMine: boolean) => void): Promise<void> {
    return new Promise((resolve) => {
      const asked = this.by.locks.request(name, options, (lock) => {
        if (this.#isClosed) return undefined;
        then(lock !== null);
        resolve();
        return lock ? this.#left : undefined;
      });
      // Another tab takes the lead of one that does not answer.
      Promise.resolve(asked).catch(() => {
        resolve();
        if (this.#isLeader && !this.#isClosed) this.#follow();
      });
    });
  }

  #lead(): void {
    this.#isLeader = true;
    this.#say({ type: "here", isNew: true });
    this.#move();
  }

  #follow(): void {
    this.#isLeader = false;
    for (const stop of this.#theirs.values()) stop();
    this.#theirs.clear();
    this.#move();
    void this.#hold(this.#name, {}, () => this.#lead());
  }

  /** Has all of this tab's operations begin anew, where they belong now. */
  #move(): void {
    for (const [id, mine] of [...this.#mine]) {
      this.#drop(id, mine);
      this.#end(id, MOVED);
    }
  }

  /** Ends an operation of this tab, wherever it runs. */
  #drop(id: string, mine: Mine): void {
    if (mine.stop) mine.stop();
    else this.#say({ type: "stop", id });
  }

  #run(id: string, mine: Mine): void {
    if (this.#channel && !this.#isLeader) {
      this.#say({ type: "open", id, operation: mine.operation });
      return;
    }
    mine.stop = this.inner.subscribe(mine.operation, {
      next: (result) => mine.sink.next(result),
      ended: (reason) => this.#end(id, reason),
    });
  }

  #end(id: string, reason: unknown): void {
    const mine = this.#mine.get(id);
    this.#mine.delete(id);
    mine?.sink.ended(reason);
  }

  #say(message: Message): void {
    if (!this.#isClosed) this.#channel?.postMessage(message);
  }

  #ask(): void {
    if (this.#isLeader || !this.#mine.size) {
      this.#hasAsked = false;
    } else if (this.#hasAsked) {
      this.#hasAsked = false;
      void this.#hold(this.#name, { steal: true }, () => this.#lead());
    } else {
      this.#hasAsked = true;
      this.#say({ type: "ask", ids: [...this.#mine.keys()] });
    }
  }

  #hear(message: Message): void {
    if (this.#isLeader) {
      this.#serve(message);
    } else if (message.type === "here") {
      this.#hasAsked = false;
      if (message.isNew) this.#move();
    } else if (message.type === "next") {
      this.#hasAsked = false;
      this.#mine.get(message.id)?.sink.next(message.result);
    } else if (message.type === "ended") {
      const { id, reason } = message;
      this.#end(
        id,
        reason ? new RequestError(reason.kind, reason.message, reason) : reason === null ? undefined : MOVED,
      );
    }
  }

  #serve(message: Message): void {
    if (message.type === "ask") {
      this.#say({ type: "here" });
      // What did not reach this tab begins anew.
      for (const id of message.ids) if (!this.#theirs.has(id)) this.#say({ type: "ended", id, reason: undefined });
    } else if (message.type === "probe") this.inner.probe();
    else if (message.type === "stop") this.#stop(message.id);
    else if (message.type === "open" && !this.#theirs.has(message.id)) {
      const { id, operation } = message;
      const stop = this.inner.subscribe(operation, {
        next: (result) => this.#say({ type: "next", id, result }),
        ended: (reason) => {
          this.#theirs.delete(id);
          this.#say({ type: "ended", id, reason: carried(reason) });
        },
      });
      this.#theirs.set(id, stop);
      this.#watchOver(id.split("/")[0] ?? "");
    }
  }

  /** Ends what a tab has left behind. */
  #watchOver(tab: string): void {
    if (this.#watched.has(tab)) return;
    this.#watched.add(tab);
    void this.by.locks.request(`${this.#name} ${tab}`, () => {
      this.#watched.delete(tab);
      for (const id of [...this.#theirs.keys()]) if (id.startsWith(`${tab}/`)) this.#stop(id);
    });
  }

  #stop(id: string): void {
    this.#theirs.get(id)?.();
    this.#theirs.delete(id);
  }
}

function carried(reason: unknown): Reason {
  if (reason === MOVED) return undefined;
  if (reason === undefined) return null;
  const { message } = errorOf(reason);
  const { kind = "network", status, errors = [] } = reason as Partial<RequestError>;
  return { kind, message, status, errors };
}
