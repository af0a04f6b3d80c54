// Sockets where they can be had, else event streams.
import type { RequestError } from "./errors.js";
import { Events, type EventTimes } from "./events.js";
import type { HttpSettings } from "./http.js";
import { Socket, type SocketTimes } from "./socket.js";
import { MOVED, type Operation, type Sink, type Transport } from "./transport.js";

/** How long parts of a connection may take, in milliseconds. */
export interface Times {
  socket: SocketTimes;
  events: EventTimes;
}

/** After so many sockets that failed in a row, one that has worked before is doubted. */
const DOUBT = 3;
/** How long event streams are taken where sockets cannot be opened, before a socket is tried again, in milliseconds. */
const WITHOUT_SOCKETS = 300_000;

/** The connection of this process or page. */
export class Connection implements Transport {
  readonly #events: Events;
  readonly #socket: Socket | undefined;
  #failures = 0;
  /** Whether the next try is an event stream. */
  #tryEvents = false;
  /** Until when event streams are taken. */
  #eventsUntil = 0;

  constructor(settings: HttpSettings, times: Times, webSocket: typeof WebSocket | undefined) {
    this.#events = new Events(settings, times.events);
    this.#socket = webSocket && new Socket({ ...settings, times: times.socket, WebSocket: webSocket });
  }

  subscribe(operation: Operation, sink: Sink): () => void {
    const socket = this.#socket;
    if (!socket) return this.#events.subscribe(operation, sink);
    if (this.#tryEvents || Date.now() < this.#eventsUntil) return this.#byEvents(operation, sink);
    let works = false;
    return socket.subscribe(operation, {
      next: (result) => {
        works = true;
        this.#failures = 0;
        sink.next(result);
      },
      ended: (reason) => {
        const isOfNetwork = reason !== MOVED && (reason as RequestError | undefined)?.kind === "network";
        if (isOfNetwork && !works) {
          this.#failures += 1;
          this.#tryEvents = !socket.hasWorked || this.#failures >= DOUBT;
        }
        sink.ended(reason);
      },
    });
  }

  probe(): void {
    this.#socket?.probe();
    this.#events.probe();
  }

  close(): void {
    this.#socket?.close();
    this.#events.close();
  }

  #byEvents(operation: Operation, sink: Sink): () => void {
    return this.#events.subscribe(operation, {
      next: (result) => {
        // HTTP works where sockets do not.
        if (this.#tryEvents) this.#eventsUntil = Date.now() + WITHOUT_SOCKETS;
        this.#tryEvents = false;
        sink.next(result);
      },
      ended: (reason) => {
        this.#tryEvents = false;
        sink.ended(reason);
      },
    });
  }
}
