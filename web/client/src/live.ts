// One subscription that goes on, whatever happens to connections: it keeps its cursor, and asks for what comes after it.
import { RequestError, errorOf, faulty } from "./errors.js";
import { sleep, type Pace } from "./pace.js";
import { MOVED, type Operation, type Result, type Transport } from "./transport.js";
import { Value, type Observable } from "./value.js";

/** How it stands with live data. `offline`: connecting has failed, and is tried again within 5 seconds. */
export type LiveStatus = "connecting" | "live" | "offline" | "stopped";

/** What every live field of the schema answers. A document selects at least `cursor` and `signal`. */
export interface LiveEvent {
  cursor: string;
  signal: "ITEM" | "CAUGHT_UP" | "POSITION" | "RESET";
}

/** The event of a subscription's only field. */
export type EventOf<Data> = Data[keyof Data];

/** What a live subscription yields. Keep `cursor` where you keep the data: it is where to go on after a restart of yours. */
export type LiveMessage<Event> =
  /** Something has happened. Apply it by id: a page that was read meanwhile may have it already. */
  | { type: "event"; event: Event; cursor: string }
  /** All that had happened before is told; what follows happens now. Comes once for each connection. */
  | { type: "caughtUp"; cursor: string }
  /**
   * What you show is out of date and its history is not told: the cursor is too old, more than `replayAtMost` has happened, or the
   * member's rights have changed. Read it again; messages go on from here.
   */
  | { type: "readAgain"; cursor: string };

/** A live subscription: `for await` its messages. It ends by `stop()`, by leaving the loop, or by an error that trying again will not cure. */
export interface Live<Event> extends AsyncIterableIterator<LiveMessage<Event>> {
  /** How it stands. */
  readonly status: Observable<LiveStatus>;
  /** Ends it, at any time. */
  stop(): void;
}

/** Messages that wait for a slow reader, before the server is asked to hold them. */
const WAITING = 1_000;
/** Credentials that may be refused in a row before it is given up. */
const REFUSALS = 3;

/** What subscriptions share. */
export interface LiveSettings {
  transport: Transport;
  pace: Pace;
  /** Told of each failure, also of those that are tried again. */
  report: (error: Error) => void;
  /** Told when it is over. */
  over: (live: Subscription<never>) => void;
}

/** The implementation of {@link Live}. */
export class Subscription<Event> implements Live<Event> {
  readonly status = new Value<LiveStatus>("connecting");
  #cursor: unknown;
  #close: (() => void) | undefined;
  #queue: LiveMessage<Event>[] = [];
  #waiters: {
    resolve: (result: IteratorResult<LiveMessage<Event>, undefined>) => void;
    reject: (error: unknown) => void;
  }[] = [];
  #over = false;
  #error: Error | undefined;
  #isHeld = false;
  #refusals = 0;

  constructor(
    private readonly settings: LiveSettings,
    private readonly operation: Operation,
  ) {
    this.#cursor = operation.variables.after;
    this.#open();
  }

  stop(): void {
    this.#end();
  }

  next(): Promise<IteratorResult<LiveMessage<Event>, undefined>> {
    const value = this.#queue.shift();
    if (this.#isHeld && !this.#queue.length) {
      this.#isHeld = false;
      this.#open();
    }
    if (value) return Promise.resolve({ value, done: false });
    if (this.#error) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#over) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<LiveMessage<Event>, undefined>> {
    this.#end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #open(): void {
    if (this.#over || this.#isHeld) return;
    const { query, variables } = this.operation;
    let isOpen = true;
    const close = this.settings.transport.subscribe(
      { query, variables: { ...variables, after: this.#cursor } },
      {
        next: (result) => isOpen && this.#take(result),
        ended: (reason) => {
          if (!isOpen) return;
          isOpen = false;
          this.#close = undefined;
          void this.#again(reason);
        },
      },
    );
    this.#close = () => {
      isOpen = false;
      this.#close = undefined;
      close();
    };
  }

  #take({ data, errors }: Result): void {
    const [event] = Object.values(data ?? {}) as (Event & Partial<LiveEvent>)[];
    if (!event) {
      this.#close?.();
      void this.#again(faulty(errors ?? [{ message: "The event is missing" }]));
      return;
    }
    // A field of an event that could not be answered.
    if (errors?.length) this.settings.report(faulty(errors, undefined, data));
    const { cursor, signal } = event;
    if (!cursor || !signal) return this.#end(new TypeError("Select cursor and signal in the subscription's field"));
    this.#refusals = 0;
    this.#cursor = cursor;
    this.settings.pace.works();
    if (signal === "CAUGHT_UP") this.status.set("live");
    if (signal === "ITEM") this.#give({ type: "event", event, cursor });
    else if (signal === "RESET") this.#give({ type: "readAgain", cursor });
    else if (signal === "CAUGHT_UP") this.#give({ type: "caughtUp", cursor });
  }

  #give(message: LiveMessage<Event>): void {
    const waiter = this.#waiters.shift();
    if (waiter) return waiter.resolve({ value: message, done: false });
    if (this.#queue.push(message) < WAITING) return;
    this.#isHeld = true;
    this.#close?.();
  }

  /** Comes back after `reason`, or gives up. */
  async #again(reason: unknown): Promise<void> {
    if (this.#over) return;
    if (reason === MOVED) {
      this.status.set("connecting");
      await sleep(0);
      return this.#open();
    }
    // The server has no reason to complete a subscription.
    const error =
      reason === undefined ? new RequestError("network", "The subscription was completed") : errorOf(reason);
    const { kind, isTemporary, retryAfterSeconds = 0 } = error as Partial<RequestError>;
    if (kind === "unauthenticated") this.#refusals += 1;
    const isLasting = kind === "closed" || (kind === "graphql" && !isTemporary) || this.#refusals >= REFUSALS;
    if (isLasting) return this.#end(kind === "closed" ? undefined : error);
    this.settings.report(error);
    const wait = this.settings.pace.wait(retryAfterSeconds * 1000);
    this.status.set(this.settings.pace.failures > 1 ? "offline" : "connecting");
    await wait;
    if (this.status.get() === "live") this.status.set("connecting");
    this.#open();
  }

  #end(error?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#close?.();
    this.#error = error;
    if (error) this.settings.report(error);
    this.status.set("stopped");
    this.settings.over(this as unknown as Subscription<never>);
    for (const { resolve, reject } of this.#waiters.splice(0)) {
      if (this.#error) reject(this.#error);
      else resolve({ value: undefined, done: true });
      this.#error = undefined;
    }
    // After stop() nothing is given any more; before an error, what came is.
    if (!error) this.#queue = [];
  }
}
