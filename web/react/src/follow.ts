// Data that is read once, and kept up to date while it has a listener.
import { RequestError, type Ledgerbell, type Live, type LiveStatus } from "@ledgerbell/client";

import type { Followed } from "./model.js";

/**
 * How long following continues without a listener, in milliseconds. StrictMode unsubscribes and subscribes again at
 * once.
 */
const LINGER = 3_000;
/** The pause before a new attempt after a failed read, in milliseconds. */
const PAUSE = 2_000;
/** The pause before a new attempt after refused credentials, in milliseconds. */
const REFUSED = 15_000;
/** How long a new read waits for further events, in milliseconds. */
const GATHER = 150;

/** The fields of every state of a {@link Follower}. */
interface Status {
  readonly live: LiveStatus;
  readonly error: Error | null;
}

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** Can be passed to React's `useSyncExternalStore`. */
export abstract class Follower<State extends Status, Event> {
  #state: State;
  readonly #listeners = new Set<() => void>();
  #live: Live<Event> | undefined;
  /** The current run. Each run is a different object. */
  #run: object | undefined;
  #lingering: ReturnType<typeof setTimeout> | undefined;

  constructor(initial: State) {
    this.#state = initial;
  }

  /** Reads and shows the data. Returns the cursor to follow from, or null if there is nothing to follow. */
  protected abstract read(isCurrent: () => boolean): Promise<string | null>;
  /** Follows the data from the cursor. */
  protected abstract open(cursor: string): Live<Event> | null;
  /** Applies an event. Returns false if the data must be read again. */
  protected abstract apply(event: Event): boolean;

  /** Returns what is shown. The object stays the same until something changes. */
  readonly getSnapshot = (): State => this.#state;

  /** Keeps the data up to date until the returned function is called. */
  readonly subscribe = (notify: () => void): (() => void) => {
    const listener = () => notify();
    this.#listeners.add(listener);
    clearTimeout(this.#lingering);
    if (!this.#run) this.#start();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearTimeout(this.#lingering);
      this.#lingering = setTimeout(() => this.#stop(), LINGER);
    };
  };

  /** Reads the data again, and follows it from there. */
  refresh(): void {
    const isUsed = this.#run !== undefined;
    this.#stop();
    if (isUsed) this.#start();
  }

  protected get state(): State {
    return this.#state;
  }

  protected set(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of [...this.#listeners]) listener();
  }

  #status(live: LiveStatus, error?: Error | null): void {
    if (live === this.#state.live && error === undefined) return;
    this.set({ live, ...(error !== undefined && { error }) } as Partial<State>);
  }

  #stop(): void {
    clearTimeout(this.#lingering);
    this.#run = undefined;
    this.#live?.stop();
    this.#live = undefined;
    this.#status("stopped");
  }

  #start(): void {
    const run = (this.#run = {});
    this.#status("connecting");
    void this.#follow(run).catch((error: unknown) => {
      if (this.#run === run) this.#status("stopped", error as Error);
    });
  }

  async #follow(run: object): Promise<void> {
    const cursor = await this.#show(run);
    if (this.#run !== run) return;
    const live = cursor === null ? null : this.open(cursor);
    if (!live) return this.#status("stopped");
    this.#live = live;
    live.status.subscribe((status) => {
      if (this.#run === run) this.#status(status);
    });
    let gathering: Promise<unknown> | undefined;
    for await (const message of live) {
      if (this.#run !== run) return;
      const isKnown = message.type === "caughtUp" || (message.type === "event" && this.apply(message.event));
      if (isKnown) continue;
      gathering ??= sleep(GATHER).then(() => {
        gathering = undefined;
        return this.#show(run);
      });
      gathering.catch((error: unknown) => {
        if (this.#run === run) this.#status(this.#state.live, error as Error);
      });
    }
  }

  /** Reads until it succeeds. */
  async #show(run: object): Promise<string | null> {
    const isCurrent = () => this.#run === run;
    while (isCurrent()) {
      try {
        const cursor = await this.read(isCurrent);
        if (isCurrent() && this.#state.error) this.#status(this.#state.live, null);
        return cursor;
      } catch (error) {
        if (!isCurrent()) return null;
        if (!(error instanceof RequestError && (error.isTemporary || error.kind === "unauthenticated"))) throw error;
        this.#status(this.#live ? this.#state.live : "offline", error);
        await sleep(error.isTemporary ? PAUSE : REFUSED);
      }
    }
    return null;
  }
}

/** How data is read and followed. */
export interface Source<Data, Event> {
  /** Resolves to null if there is no such account. Its data is null if the viewer may not see it. */
  read: () => Promise<{ data: Data | null; cursor: string | null } | null>;
  live?: (cursor: string) => Live<Event>;
  /** Returns the data after an event; null if it must be read again. */
  apply?: (data: Data, event: Event) => Data | null;
}

/** Data that is read, followed and changed. */
export class Resource<Data, Event = unknown> extends Follower<Followed<Data>, Event> {
  constructor(private readonly source: Source<Data, Event>) {
    super({ phase: "loading", data: null, live: "stopped", error: null });
  }

  /** Shows a change before the server confirms it. */
  change(by: (data: Data) => Data): void {
    const { data } = this.state;
    if (data !== null) this.set({ data: by(data) });
  }

  protected async read(isCurrent: () => boolean): Promise<string | null> {
    const page = await this.source.read();
    if (!isCurrent()) return null;
    if (!page) {
      this.set({ phase: "missing", data: null });
      return null;
    }
    this.set({ phase: page.data === null ? "hidden" : "ready", data: page.data });
    return page.cursor;
  }

  protected open(cursor: string): Live<Event> | null {
    return this.source.live?.(cursor) ?? null;
  }

  protected apply(event: Event): boolean {
    const { data } = this.state;
    const changed = data === null ? null : (this.source.apply?.(data, event) ?? null);
    if (changed !== null) this.set({ data: changed });
    return changed !== null;
  }
}

const shared = new WeakMap<Ledgerbell, Map<string, unknown>>();

/** Returns the object that a client has under a name. Creates it the first time, so that components share it. */
export function sharedBy<Thing>(client: Ledgerbell, name: string, make: () => Thing): Thing {
  let all = shared.get(client);
  if (!all) shared.set(client, (all = new Map<string, unknown>()));
  if (!all.has(name)) all.set(name, make());
  return all.get(name) as Thing;
}
