/** A refusal that the caller can act upon, as the server writes it. */
export interface UserError {
  /** What kind of refusal, for programs. Treat one that you do not know as VALIDATION. */
  code: string;
  /** What is wrong, human-readable, in the viewer's language. */
  message: string;
  /** The path in the input. */
  field?: readonly string[] | null;
  /** When to try again, where that helps. */
  retryAfterSeconds?: number | null;
}

/** An error of GraphQL, as the server writes it. */
export interface GraphQLFault {
  message: string;
  path?: readonly (string | number)[];
  extensions?: { code?: string; retryAfterSeconds?: number; [key: string]: unknown };
}

/** Thrown when a mutation was refused: nothing was changed. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  /** The code of the first refusal. */
  readonly code: string;

  constructor(
    /** Why nothing was changed; at least one. */
    readonly userErrors: readonly [UserError, ...UserError[]],
    /** What the mutation answered beside: with some codes the object as it is now. */
    readonly payload: unknown,
  ) {
    super(userErrors[0].message);
    this.code = userErrors[0].code;
  }
}

/**
 * Why a request failed: the network, time, HTTP, GraphQL, credentials, or the caller's own signal; `closed` says that the client was.
 */
export type RequestErrorKind = "network" | "timeout" | "http" | "graphql" | "unauthenticated" | "aborted" | "closed";

/** Thrown when a request failed otherwise than by a refusal. A mutation without an idempotency key may have taken place. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  /** The status of HTTP, where there was a response. */
  readonly status: number | undefined;
  /** Errors of GraphQL. */
  readonly errors: readonly GraphQLFault[];
  /** What was answered beside the errors. */
  readonly data: unknown;
  /** When to try again, where the server says so. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    readonly kind: RequestErrorKind,
    message: string,
    more: {
      status?: number | undefined;
      errors?: readonly GraphQLFault[];
      data?: unknown;
      retryAfterSeconds?: number | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: more.cause });
    this.status = more.status;
    this.errors = more.errors ?? [];
    this.data = more.data;
    this.retryAfterSeconds = more.retryAfterSeconds ?? this.errors[0]?.extensions?.retryAfterSeconds;
  }

  /** The server's code, such as FORBIDDEN or RATE_LIMITED. */
  get code(): string | undefined {
    return this.errors[0]?.extensions?.code;
  }

  /** Whether the same request may succeed later. */
  get isTemporary(): boolean {
    const { kind, status = 0, code } = this;
    if (kind === "graphql") return code === "UNAVAILABLE" || code === "RATE_LIMITED" || code === "INTERNAL";
    return kind === "network" || kind === "timeout" || (kind === "http" && (status === 429 || status >= 500));
  }
}

/** Turns errors of GraphQL into one error. */
export function faulty(errors: readonly GraphQLFault[], status?: number, data?: unknown): RequestError {
  const isAboutCredentials = status === 401 || errors[0]?.extensions?.code === "UNAUTHENTICATED";
  const message = errors.map((error) => error.message).join("; ") || `HTTP ${status ?? 0}`;
  return new RequestError(isAboutCredentials ? "unauthenticated" : "graphql", message, { status, errors, data });
}

/** Makes an error of whatever was thrown. */
export function errorOf(reason: unknown): Error {
  return reason instanceof Error ? reason : new RequestError("network", String(reason), { cause: reason });
}
