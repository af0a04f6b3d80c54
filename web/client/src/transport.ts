import type { GraphQLFault } from "./errors.js";

/** One operation to run. */
export interface Operation {
  query: string;
  variables: Record<string, unknown>;
}

/** One result of an operation. */
export interface Result {
  data?: Record<string, unknown> | null;
  errors?: readonly GraphQLFault[];
}

/** Who takes the results. After `ended` nothing more comes; without a reason the server has completed the operation. */
export interface Sink {
  next(result: Result): void;
  ended(reason?: unknown): void;
}

/** Runs subscriptions. It does not try again: whoever subscribes does, after its last cursor. */
export interface Transport {
  /** Returns what ends the operation; the sink is not called after that. */
  subscribe(operation: Operation, sink: Sink): () => void;
  /** Finds out at once whether the connection still works. */
  probe(): void;
  close(): void;
}

/** A reason that is no failure: the connection was replaced, and the next is to be had at once. */
export const MOVED = Symbol("moved");
