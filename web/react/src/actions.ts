// What components do.
import { RequestError } from "@ledgerbell/client";
import { useCallback, useRef, useState } from "react";

/** Something that is done by a button. */
export interface Action<Args extends unknown[]> {
  /** Does it, unless it is being done. Resolves to whether it was done; why not is in `error`. */
  run: (...args: Args) => Promise<boolean>;
  isBusy: boolean;
  /** Whether the last run was done. */
  isDone: boolean;
  /** Why the last run was not done. */
  error: Error | null;
  /** Forgets how the last run went. */
  reset: () => void;
}

const IDLE = { isBusy: false, isDone: false, error: null as Error | null };

/** Wraps what a button does. */
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

/** Whether a mutation that failed may have taken place, so that it has to be sent again with the same key. */
export function mayHaveTakenPlace(error: unknown): boolean {
  return error instanceof RequestError && (error.isTemporary || error.kind === "aborted");
}
