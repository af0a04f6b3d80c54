// Subscriptions over one socket, by the library graphql-ws. It may not retry: whoever subscribes does, from its last cursor.
import { createClient, type Client } from "graphql-ws";

import { RequestError, faulty, type GraphQLFault } from "./errors.js";
import { MOVED, type Operation, type Sink, type Transport } from "./transport.js";
import type { Token, Tokens } from "./tokens.js";

/** How long each part of a socket's life may take, in milliseconds. */
export interface SocketTimes {
  /** From the beginning to the server's acknowledgement. */
  connect: number;
  /** Silence after which the server is pinged. */
  silence: number;
  /** Time for anything to come after a ping. */
  pong: number;
}

/** What a socket needs. */
export interface SocketSettings {
  url: string;
  tokens: Tokens;
  times: SocketTimes;
  WebSocket: typeof WebSocket;
}

/** The longest that a timer can be set for. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** One socket, which is opened for the first operation and closed some time after the last. */
export class Socket implements Transport {
  /** Whether the server has ever acknowledged a socket. */
  hasWorked = false;
  readonly #client: Client;
  readonly #times: SocketTimes;
  readonly #tokens: Tokens;
  #socket: WebSocket | undefined;
  #token: Token | undefined;
  #connecting = false;
  /** Why the present socket is ended by us. */
  #reason: unknown;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;

  constructor(settings: SocketSettings) {
    const { tokens, times } = settings;
    this.#times = times;
    this.#tokens = tokens;
    const opened = (socket: WebSocket) => (this.#socket = socket);
    // The library tells of a socket once it is open. One that hangs before has to be closed as well, and npm ws throws where
    // nothing listens for the error of that.
    class Watched extends settings.WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        this.addEventListener("error", () => {});
        opened(this);
      }
    }
    const heard = () => this.#hear();
    this.#client = createClient({
      url: settings.url.replace(/^http/, "ws"),
      webSocketImpl: Watched,
      retryAttempts: 0,
      lazyCloseTimeout: 3_000,
      connectionParams: async () => {
        this.#token = await tokens.get();
        return { authorization: `Bearer ${this.#token.text}` };
      },
      on: {
        connecting: () => {
          this.#connecting = true;
          this.#reason = undefined;
          this.#within(times.connect, "The server did not take the socket in time");
        },
        connected: () => {
          this.#connecting = false;
          this.hasWorked = true;
          this.#renewLater();
          heard();
        },
        message: heard,
        closed: () => this.#gone(),
        error: () => this.#gone(),
      },
    });
  }

  subscribe(operation: Operation, sink: Sink): () => void {
    let ended = false;
    const end = (reason?: unknown) => {
      if (!ended) sink.ended(reason);
      ended = true;
    };
    const stop = this.#client.subscribe(
      { query: operation.query, variables: operation.variables },
      {
        next: (result) => {
          if (!ended) sink.next(result as Parameters<Sink["next"]>[0]);
        },
        error: (reason) => end(this.#explain(reason)),
        complete: () => end(),
      },
    );
    return () => {
      ended = true;
      stop();
    };
  }

  probe(): void {
    // What hangs since before there was reason to hope is begun anew.
    if (this.#connecting) this.#end("Connecting is begun anew", MOVED);
    else if (this.#socket?.readyState === 1) this.#ping();
  }

  close(): void {
    this.#end("closed", new RequestError("closed", "The client was closed"));
    void this.#client.dispose();
  }

  /** Something was heard: the next ping is due after a silence. */
  #hear(): void {
    if (this.#connecting) return;
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#ping(), this.#times.silence);
  }

  #ping(): void {
    this.#socket?.send('{"type":"ping"}');
    this.#within(this.#times.pong, "The server has gone silent");
  }

  #within(time: number, otherwise: string): void {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#end(otherwise), time);
  }

  /** Comes back with a new token before the server closes the socket of the old one. */
  #renewLater(): void {
    clearTimeout(this.#renewal);
    const left = (this.#token?.renewAt ?? Infinity) - Date.now();
    if (left < 1 || left > LONGEST_TIMER) return;
    this.#renewal = setTimeout(() => {
      // Without a new one the socket stays for as long as the old one holds.
      this.#tokens.renew().then(
        () => this.#end("The token is renewed", MOVED),
        () => {},
      );
    }, left);
  }

  #end(message: string, reason: unknown = new RequestError("network", message)): void {
    const socket = this.#socket;
    this.#reason = reason;
    this.#client.terminate();
    // Where the network swallows all, npm ws would wait for the other side's close frame.
    (socket as { terminate?: () => void } | undefined)?.terminate?.();
  }

  #gone(): void {
    this.#connecting = false;
    clearTimeout(this.#watch);
    clearTimeout(this.#renewal);
  }

  /** Why an operation has ended: errors of GraphQL, or what became of the socket. */
  #explain(reason: unknown): unknown {
    if (Array.isArray(reason)) return faulty(reason as GraphQLFault[]);
    if (this.#reason) return this.#reason;
    const { code, reason: words } = reason as { code?: number; reason?: string };
    if (code === 4403 || code === 4401) {
      if (this.#token) this.#tokens.refused(this.#token);
      return new RequestError("unauthenticated", words ?? "The credential is not accepted");
    }
    if (reason instanceof Error) return reason;
    return new RequestError("network", `The socket was closed${code ? `: ${code} ${words ?? ""}` : ""}`, {
      cause: reason,
    });
  }
}
