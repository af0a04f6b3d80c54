// What is read once and kept up to date while anybody listens.
import { RequestError, type Ledgerbell, type Live, type LiveStatus } from "@ledgerbell/client";

import type { Followed } from "./model.js";

/** How long it goes on after its last listener has left, in milliseconds: StrictMode leaves and comes back at once. */
const LINGER = 3_000;
/** How long after a failed read it is read again, in milliseconds. */
const PAUSE = 2_000;
/** How long after refused credentials it is read again, in milliseconds. */
const REFUSED = 15_000;
/** How long reading again waits for further events, in milliseconds. */
const GATHER = 150;

/** What every state of a {@link Follower} has. */
interface Status {
  readonly live: LiveStatus;
  readonly error: Error | null;
}

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** Has the shape of React's `useSyncExternalStore`. */
export abstract class Follower<State extends Status, Event> {
  #state: State;
  readonly #listeners = new Set<() => void>();
  #live: Live<Event> | undefined;
  /** The run in progress; another object for each. */
  #run: object | undefined;
  #lingering: ReturnType<typeof setTimeout> | undefined;

  constructor(initial: State) {
    this.#state = initial;
  }

  /** Reads and shows it; returns where to go on from, or null where there is nothing to follow. */
  protected abstract read(isCurrent: () => boolean): Promise<string | null>;
  /** Follows it from there. */
  protected abstract open(cursor: string): Live<Event> | null;
  /** Shows what has happened. False: read it again. */
  protected abstract apply(event: Event): boolean;

  /** What is shown. The same object until something changes. */
  readonly getSnapshot = (): State => this.#state;

  /** Keeps it up to date until what is returned is called. */
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

  /** Reads it again and follows it from there. */
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

  /** Reads until that works. */
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

/** Where something comes from. */
export interface Source<Data, Event> {
  /** Null: there is no such account. Data that is null: the viewer may not see it. */
  read: () => Promise<{ data: Data | null; cursor: string | null } | null>;
  live?: (cursor: string) => Live<Event>;
  /** The data after an event; null: read it again. */
  apply?: (data: Data, event: Event) => Data | null;
}

/** One thing that is read, followed, and changed. */
export class Resource<Data, Event = unknown> extends Follower<Followed<Data>, Event> {
  constructor(private readonly source: Source<Data, Event>) {
    super({ phase: "loading", data: null, live: "stopped", error: null });
  }

  /** Shows it changed, before the server says so. */
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

/** Returns what one client has under a name, made the first time, so that components that show the same share it. */
export function sharedBy<Thing>(client: Ledgerbell, name: string, make: () => Thing): Thing {
  let all = shared.get(client);
  if (!all) shared.set(client, (all = new Map<string, unknown>()));
  if (!all.has(name)) all.set(name, make());
  return all.get(name) as Thing;
}
