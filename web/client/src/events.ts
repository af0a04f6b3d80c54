// Subscriptions over event streams (graphql-sse, distinct connections mode), for networks that break sockets.
//
// Written on the protocol and not on npm graphql-sse: that library passes over the server's comments, by which alone a stream that
// has gone silent can be told from one on which nothing happens, and would be a quarter of this package.
import { RequestError, errorOf, faulty } from "./errors.js";
import type { HttpSettings } from "./http.js";
import type { Operation, Result, Sink, Transport } from "./transport.js";

/** How long each part of a stream's life may take, in milliseconds. */
export interface EventTimes {
  /** To the head of the response. */
  connect: number;
  /** Silence after which the stream is taken for dead. The server sends a comment every 25 s. */
  silence: number;
}

/** A response for each operation, which stays open. */
export class Events implements Transport {
  /** When something was last heard on each. */
  readonly #open = new Map<AbortController, number>();

  constructor(
    private readonly settings: HttpSettings,
    private readonly times: EventTimes,
  ) {}

  subscribe(operation: Operation, sink: Sink): () => void {
    const ending = new AbortController();
    this.#open.set(ending, Date.now());
    this.#run(operation, sink, ending)
      .catch((error: unknown) => error)
      .then(
        (reason) => {
          this.#open.delete(ending);
          const [why] = ended.get(ending) ?? [errorOf(reason)];
          if (why !== STOPPED) sink.ended(reason === undefined ? undefined : why);
        },
        () => {},
      );
    return () => this.#end(ending, STOPPED);
  }

  probe(): void {
    // A response cannot be asked whether it still works. One that a sleep has left behind is replaced.
    const late = Date.now() - this.times.silence;
    for (const [ending, heard] of this.#open)
      if (heard < late) this.#end(ending, new RequestError("network", "The stream is opened anew"));
  }

  close(): void {
    for (const ending of this.#open.keys()) this.#end(ending, new RequestError("closed", "The client was closed"));
  }

  #end(ending: AbortController, why: unknown): void {
    if (!ended.has(ending)) ended.set(ending, [why]);
    ending.abort();
  }

  async #run(operation: Operation, sink: Sink, ending: AbortController): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const within = (time: number) => {
      clearTimeout(timer);
      this.#open.set(ending, Date.now());
      timer = setTimeout(() => this.#end(ending, new RequestError("network", "The server has gone silent")), time);
    };
    try {
      within(this.times.connect);
      const token = await this.settings.tokens.get();
      const response = await this.settings.fetch(this.settings.url, {
        method: "POST",
        headers: {
          accept: "text/event-stream",
          "content-type": "application/json",
          authorization: `Bearer ${token.text}`,
        },
        body: JSON.stringify(operation),
        signal: ending.signal,
      });
      const { status } = response;
      if (status === 401) {
        this.settings.tokens.refused(token);
        throw new RequestError("unauthenticated", "The credential is not accepted", { status });
      }
      if (status !== 200 || !response.body) throw new RequestError("http", `HTTP ${status}`, { status });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      // Where `fetch` heeds the signal for the head alone.
      ending.signal.addEventListener("abort", () => void reader.cancel().catch(() => {}));
      let rest = "";
      for (;;) {
        within(this.times.silence);
        const { value, done } = await reader.read();
        // A stream that ends without `complete` is to be asked for again.
        if (done) throw new RequestError("network", "The server has ended the stream");
        const parts = (rest + value).split("\n\n");
        rest = parts.pop() ?? "";
        for (const part of parts) {
          const lines = part.split("\n");
          if (lines.includes("event: complete")) return;
          const data = lines.find((line) => line.startsWith("data: "));
          if (!data) continue;
          const result = JSON.parse(data.slice(6)) as Result;
          if (result.errors && !result.data) throw faulty(result.errors);
          sink.next(result);
        }
      }
    } finally {
      clearTimeout(timer);
      ending.abort();
    }
  }
}

const STOPPED = Symbol("stopped");
/** Why a stream was ended by us. */
const ended = new WeakMap<AbortController, [unknown]>();
