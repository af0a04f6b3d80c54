// Actions of components, and their state.
import { RequestError } from "@ledgerbell/client";
import { useCallback, useRef, useState } from "react";

/** An action that a button starts. */
export interface Action<Args extends unknown[]> {
  /**
   * Runs the action, unless it is already running. Resolves to whether it succeeded; `error` contains the reason if
   * not.
   */
  run: (...args: Args) => Promise<boolean>;
  isBusy: boolean;
  /** Whether the last run succeeded. */
  isDone: boolean;
  /** Why the last run failed. */
  error: Error | null;
  /** Clears the result of the last run. */
  reset: () => void;
}

const IDLE = { isBusy: false, isDone: false, error: null as Error | null };

/** Wraps the action of a button. */
export function useAction<Args extends unknown[]>(act: (...args: Args) => Promise<unknown>): Action<Args> {
  const [state, setState] = useState(IDLE);
  const latest = useRef(act);
  latest.current = act;
  const isBusy = useRef(false);
  const run = useCallback(async (...args: Args) => {
    if (isBusy.current) return false;
    isBusy.current = true;
    setState({ ...IDLE, isBusy: true });
    try {
      await latest.current(...args);
      setState({ ...IDLE, isDone: true });
      return true;
    } catch (reason) {
      setState({ ...IDLE, error: reason instanceof Error ? reason : new Error(String(reason)) });
      return false;
    } finally {
      isBusy.current = false;
    }
  }, []);
  const reset = useCallback(() => setState(IDLE), []);
  return { ...state, run, reset };
}

/** Returns whether a failed mutation may have taken effect, so that it must be sent again with the same key. */
export function mayHaveTakenPlace(error: unknown): boolean {
  return error instanceof RequestError && (error.isTemporary || error.kind === "aborted");
}
