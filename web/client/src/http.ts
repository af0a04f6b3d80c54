// Queries and mutations: GraphQL over HTTP.
import { RequestError, faulty, type GraphQLFault } from "./errors.js";
import { sleep } from "./pace.js";
import type { Operation } from "./transport.js";
import type { Tokens } from "./tokens.js";

/** How one request is sent. */
export interface RequestOptions {
  /** Ends the request. */
  signal?: AbortSignal;
  /** Milliseconds for each try; 10,000 when left out. */
  timeout?: number;
  /** Whether it is sent again after it failed for a reason that may pass. Queries, and mutations with an idempotency key, are. */
  retry?: boolean;
}

/** Tries of one request, at most. */
const TRIES = 4;
/** The longest that a request waits because the server says when to come back, in seconds. */
const PATIENCE = 30;

/** What all requests share. */
export interface HttpSettings {
  url: string;
  tokens: Tokens;
  fetch: typeof fetch;
  timeout: number;
}

/** Runs one operation, and returns its data. */
export async function request(settings: HttpSettings, operation: Operation, options: RequestOptions): Promise<unknown> {
  let renewed = false;
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt(settings, operation, options);
    } catch (error) {
      if (!(error instanceof RequestError) || options.signal?.aborted) throw error;
      if (error.kind === "unauthenticated" && !renewed) {
        // Nothing was executed.
        renewed = true;
        tries -= 1;
        continue;
      }
      // A caller who asks too much has had nothing executed, so that is always tried again.
      const again = error.isTemporary && (options.retry === true || error.status === 429);
      const pause = error.retryAfterSeconds ?? 0.2 * 2 ** tries * (0.5 + Math.random());
      if (!again || tries >= TRIES || pause > PATIENCE) throw error;
      await sleep(pause * 1000, options.signal).catch(() => {
        throw error;
      });
    }
  }
}

async function attempt(settings: HttpSettings, operation: Operation, options: RequestOptions): Promise<unknown> {
  const ending = new AbortController();
  const timeout = options.timeout ?? settings.timeout;
  const end = { isLate: false };
  const timer = setTimeout(() => {
    end.isLate = true;
    ending.abort();
  }, timeout);
  const abort = () => ending.abort();
  options.signal?.addEventListener("abort", abort);
  if (options.signal?.aborted) abort();
  let status: number | undefined;
  try {
    const token = await settings.tokens.get();
    const response = await settings.fetch(settings.url, {
      method: "POST",
      headers: {
        accept: "application/graphql-response+json, application/json;q=0.9",
        "content-type": "application/json",
        authorization: `Bearer ${token.text}`,
      },
      body: JSON.stringify(operation),
      signal: ending.signal,
    });
    status = response.status;
    if (status === 401) settings.tokens.refused(token);
    const text = await response.text();
    const retryAfterSeconds = Number(response.headers.get("retry-after") ?? "") || undefined;
    let body: { data?: unknown; errors?: GraphQLFault[] };
    try {
      body = JSON.parse(text) as typeof body;
    } catch (cause) {
      const kind = status === 401 ? "unauthenticated" : "http";
      throw new RequestError(kind, `HTTP ${status}: no JSON`, { status, retryAfterSeconds, cause });
    }
    if (body.errors?.length) throw faulty(body.errors, status, body.data);
    if (!body.data) throw new RequestError("http", `HTTP ${status}: no data`, { status, retryAfterSeconds });
    return body.data;
  } catch (error) {
    if (error instanceof RequestError) throw error;
    if (options.signal?.aborted) throw new RequestError("aborted", "The request was aborted", { cause: error });
    if (end.isLate) throw new RequestError("timeout", `No answer within ${timeout} ms`, { cause: error });
    const message = error instanceof Error ? error.message : String(error);
    throw new RequestError("network", message, { status, cause: error });
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", abort);
  }
}
