// The filters of the credit log, as they are in the page's address.
import { useUrlState } from "./address.js";
import type { CreditLogFilter } from "./model.js";

/** The selected filters, as texts. Empty means no limit. */
export interface LogChoice {
  q: string;
  kind: readonly string[];
  dir: string;
  member: readonly string[];
  by: readonly string[];
  from: string;
  to: string;
  min: string;
  max: string;
  session: string;
  topup: string;
}

export const NO_CHOICE: LogChoice = {
  q: "",
  kind: [],
  dir: "",
  member: [],
  by: [],
  from: "",
  to: "",
  min: "",
  max: "",
  session: "",
  topup: "",
};

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const AMOUNT = /^\d+(\.\d{1,4})?$/;
const KINDS = /^[A-Z_]+$/;

/** Returns the filter for a choice, which narrows another filter. */
export function filterOf(choice: LogChoice, filter: CreditLogFilter = {}): CreditLogFilter {
  const { q, kind, dir, member, by, from, to, min, max, session, topup } = choice;
  const kinds = kind.filter((name) => KINDS.test(name));
  const dates = { ...(DATE.test(from) && { from }), ...(DATE.test(to) && { to }) };
  const amount = { ...(AMOUNT.test(min) && { min }), ...(AMOUNT.test(max) && { max }) };
  return {
    ...filter,
    ...(q.trim() && { search: q.trim() }),
    ...(kinds.length && { kinds }),
    ...((dir === "ADDED" || dir === "DEDUCTED") && { direction: dir }),
    ...(member.length && { memberIds: member }),
    ...(by.length && { actorKinds: by }),
    ...((dates.from ?? dates.to) && { dates }),
    ...((amount.min ?? amount.max) && { amount }),
    ...(session && { sessionIds: [session] }),
    ...(topup && { topUpIds: [topup] }),
  } as CreditLogFilter;
}

/** Returns the filters in the address, and a function that changes them: see {@link useUrlState}. */
export function useUrlChoice(prefix: string): [LogChoice, (change: Partial<LogChoice>, isTyped?: boolean) => void] {
  return useUrlState(prefix, NO_CHOICE);
}
