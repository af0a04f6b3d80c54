import { Connection, type Times } from "./connection.js";
import { textOf, type Document, type Keyless } from "./document.js";
import { RefusedError, RequestError, type UserError } from "./errors.js";
import { request, type HttpSettings, type RequestOptions } from "./http.js";
import { withKeys } from "./keys.js";
import { Subscription, type EventOf, type Live, type LiveStatus } from "./live.js";
import { Pace } from "./pace.js";
import { AccountStore, type AccountOptions } from "./store.js";
import { Tabs, type TabsBy } from "./tabs.js";
import { Tokens } from "./tokens.js";
import type { Transport } from "./transport.js";
import { Listeners, Value, type Observable } from "./value.js";

/** What a client is made with. */
export interface LedgerbellOptions {
  /** The address of the API, such as `https://credits.example.com/graphql`. */
  url: string;
  /**
   * Returns a token of the member, or an API key on a server. It is called when there is none, before one ends, and when one was
   * refused: so return a new one each time.
   */
  token: () => string | Promise<string>;
  /** Milliseconds for each try of a query or mutation; 10,000 when left out. */
  timeout?: number;
  /** Instead of the global one. */
  fetch?: typeof fetch;
  /** Instead of the global one. Node 20 has none: pass that of npm ws, or event streams are used. Null: always event streams. */
  WebSocket?: unknown;
  /**
   * Whether tabs of the same member share one connection: they do in pages, by Web Locks and a BroadcastChannel. False: each has its own.
   */
  tabs?: boolean | TabsBy;
  /** How long parts of a connection may take, in milliseconds. */
  times?: { socket?: Partial<Times["socket"]>; events?: Partial<Times["events"]> };
}

/** How it stands with all that is live; `idle`: nothing is. */
export type ClientStatus = Exclude<LiveStatus, "stopped"> | "idle";

/** Subscriptions whose documents declare `$after: LiveCursor`. */
type Variables<V> = { [Key in keyof V as Key extends "after" ? never : Key]: V[Key] } & { after?: string | null };

const TIMES: Times = {
  socket: { connect: 8_000, silence: 9_000, pong: 6_000 },
  events: { connect: 10_000, silence: 32_000 },
};

/** A client of one caller. Make one for each signed-in member, and close it when they sign out. */
export class Ledgerbell {
  /** How it stands with live data: the worst of all subscriptions. */
  readonly status: Observable<ClientStatus>;
  readonly #status = new Value<ClientStatus>("idle");
  readonly #errors = new Listeners<Error>();
  readonly #http: HttpSettings;
  readonly #transport: Transport;
  readonly #pace = new Pace();
  readonly #live = new Set<Subscription<never>>();
  readonly #accounts = new Map<string, AccountStore>();
  readonly #unlisten: () => void;
  #isClosed = false;

  constructor(options: LedgerbellOptions) {
    const base = (globalThis as { location?: { href: string } }).location?.href;
    this.#http = {
      url: new URL(options.url, base).href,
      tokens: new Tokens(options.token),
      fetch: options.fetch ?? ((...request) => fetch(...request)),
      timeout: options.timeout ?? 10_000,
    };
    const times = {
      socket: { ...TIMES.socket, ...options.times?.socket },
      events: { ...TIMES.events, ...options.times?.events },
    };
    const webSocket =
      options.WebSocket === undefined ? (globalThis as { WebSocket?: unknown }).WebSocket : options.WebSocket;
    const connection = new Connection(this.#http, times, (webSocket ?? undefined) as typeof WebSocket | undefined);
    const by = tabsBy(options.tabs);
    this.#transport = by ? new Tabs(connection, this.#http.tokens, this.#http.url, by) : connection;
    this.status = this.#status;
    this.#unlisten = onWaking(() => this.nudge());
  }

  /** Runs a query. Throws {@link RequestError}, also where only a part could not be answered: the rest is in its `data`. */
  async query<Result = unknown, V = Record<string, unknown>>(
    document: Document<Result, V>,
    ...[variables, options]: Rest<V, RequestOptions>
  ): Promise<Result> {
    const operation = { query: textOf(document), variables: variables as Record<string, unknown> };
    return (await this.#request(operation, { retry: true, ...options })) as Result;
  }

  /**
   * Runs a mutation. Idempotency keys that are left out are made, and then it is sent again when no answer came: it is done once.
   * Throws {@link RefusedError} when it was refused, for which its field has to select `userErrors { code message field }`.
   */
  async mutate<Result = unknown, V = Record<string, unknown>>(
    document: Document<Result, V>,
    ...[given, options]: Rest<Keyless<V>, RequestOptions>
  ): Promise<Result> {
    const query = textOf(document);
    const { variables, isKeyed } = withKeys(query, given ?? {});
    const data = (await this.#request({ query, variables }, { retry: isKeyed, ...options })) as Record<string, unknown>;
    for (const payload of Object.values(data)) {
      const [first, ...others] = (payload as { userErrors?: UserError[] } | null)?.userErrors ?? [];
      if (first) throw new RefusedError([first, ...others], payload);
    }
    return data as Result;
  }

  /**
   * Follows a subscription without gap or repeat, over restarts, sleep, and tokens that end. The document declares
   * `$after: LiveCursor`, passes it on, and selects `cursor` and `signal`. Give the `liveCursor` of the list that you show as `after`.
   */
  live<Result = Record<string, unknown>, V = Record<string, unknown>>(
    document: Document<Result, V>,
    ...[variables]: Rest<Variables<V>, never>
  ): Live<EventOf<Result>> {
    if (this.#isClosed) throw new RequestError("closed", "The client was closed");
    const live = new Subscription<EventOf<Result>>(
      {
        transport: this.#transport,
        pace: this.#pace,
        report: (error) => this.#errors.tell(error),
        over: (live) => {
          this.#live.delete(live);
          this.#sum();
        },
      },
      { query: textOf(document), variables: variables ?? {} },
    );
    this.#live.add(live as unknown as Subscription<never>);
    live.status.subscribe(() => this.#sum());
    this.#sum();
    return live;
  }

  /**
   * Returns the store of an account: the member's own, or the one of this id. It is the same one each time; how much it keeps is
   * said the first time.
   */
  account(id?: string | null, options: AccountOptions = {}): AccountStore {
    let store = this.#accounts.get(id ?? "");
    if (!store) this.#accounts.set(id ?? "", (store = new AccountStore(this, id ?? null, options)));
    return store;
  }

  /** Calls `listener` for each failure of what is live, also of those that are tried again. */
  onError(listener: (error: Error) => void): () => void {
    return this.#errors.add(listener);
  }

  /**
   * Tries at once what waits to be tried again, and looks whether the connection still works. Pages do so by themselves when they
   * come online or into view; call it where an application wakes up (React Native's AppState).
   */
  nudge(): void {
    this.#transport.probe();
    this.#pace.nudge();
    for (const store of this.#accounts.values()) store.nudge();
  }

  /** Ends all that is live, and lets go of everything. */
  close(): void {
    this.#isClosed = true;
    this.#unlisten();
    for (const store of this.#accounts.values()) store.stop();
    for (const live of [...this.#live]) live.stop();
    this.#transport.close();
    this.#pace.nudge();
  }

  #request(
    operation: { query: string; variables: Record<string, unknown> },
    options: RequestOptions,
  ): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new RequestError("closed", "The client was closed"));
    return request(this.#http, operation, options);
  }

  #sum(): void {
    const all = new Set([...this.#live].map((live) => live.status.get()));
    const worst = (["offline", "connecting", "live"] as const).find((status) => all.has(status));
    this.#status.set(worst ?? "idle");
  }
}

/** Variables may be left out where none is required. */
type Rest<V, Options> =
  Record<string, never> extends V ? [variables?: V, options?: Options] : [variables: V, options?: Options];

/** Makes a client. */
export function createLedgerbell(options: LedgerbellOptions): Ledgerbell {
  return new Ledgerbell(options);
}

/** What tabs find each other by, where that is wanted and there is any. */
function tabsBy(wanted: boolean | TabsBy = "document" in globalThis): TabsBy | undefined {
  if (typeof wanted === "object") return wanted;
  const { BroadcastChannel, navigator } = globalThis as Partial<Window & typeof globalThis>;
  const locks = (navigator as Partial<Navigator> | undefined)?.locks;
  return wanted && locks && BroadcastChannel ? { locks, BroadcastChannel } : undefined;
}

/** Calls `wake` when the page comes online or into view. */
function onWaking(wake: () => void): () => void {
  const scope = globalThis as Partial<Pick<Window, "addEventListener" | "removeEventListener">> & {
    document?: Document_;
  };
  const { document } = scope;
  const seen = () => document?.visibilityState === "visible" && wake();
  scope.addEventListener?.("online", wake);
  document?.addEventListener("visibilitychange", seen);
  return () => {
    scope.removeEventListener?.("online", wake);
    document?.removeEventListener("visibilitychange", seen);
  };
}

/** Of the DOM's document. */
type Document_ = Pick<globalThis.Document, "visibilityState" | "addEventListener" | "removeEventListener">;
