// What a store shows. Amounts are exact, as strings; instants are RFC 3339 in UTC.
import type { LiveStatus } from "./live.js";

/** What an account has. */
export interface Balance {
  id: string;
  version: string;
  posted: string;
  held: string;
  available: string;
  incoming: string;
}

/** The account itself. */
export interface AccountSummary {
  id: string;
  name: string;
  status: string;
  frozenReason: string | null;
}

/** One line of the credit log. */
export interface LogLine {
  id: string;
  sequence: string;
  occurredAt: string;
  kind: string;
  amount: string;
  balanceAfter: string;
  description: string;
  actor: { kind: string; label: string };
  member: { id: string; name: string } | null;
  session: { id: string; title: string; status: string } | null;
  topUp: { id: string; status: string } | null;
}

/** An alert as the member's inbox has it. */
export interface InboxItem {
  id: string;
  readAt: string | null;
  archivedAt: string | null;
  alert: {
    id: string;
    kind: string;
    severity: string;
    title: string;
    body: string;
    raisedAt: string;
    resolvedAt: string | null;
    action: { label: string; nextStep: string; url: string | null } | null;
  };
}

/** A top-up. */
export interface TopUp {
  id: string;
  status: string;
  credits: string;
  price: { amount: string; currency: string };
  canRetry: boolean;
  failure: { code: string; message: string; nextStep: string; actionUrl: string | null } | null;
  createdAt: string;
  updatedAt: string;
}

/** A session. */
export interface Session {
  id: string;
  title: string;
  status: string;
  held: string;
  startsAt: string;
  endsAt: string;
  deductionExpectedBy: string | null;
  member: { id: string; name: string };
}

/** All that a store shows. Each change makes a new one; parts that have not changed stay the same objects. */
export interface AccountState {
  /** `loading` until the account was read; `missing` where there is none that the caller may see. */
  readonly phase: "loading" | "ready" | "missing";
  readonly account: AccountSummary | null;
  readonly balance: Balance | null;
  /** Newest first. Members see their own lines unless they may read the log. */
  readonly log: readonly LogLine[];
  /** Newest first, without archived ones. Empty for API keys, which have no inbox. */
  readonly inbox: readonly InboxItem[];
  readonly unreadCount: number;
  /** PENDING, PROCESSING or REQUIRES_ACTION, newest first. Empty for those who may not see top-ups. */
  readonly topUps: readonly TopUp[];
  /** PROCESSING: they are over, and their deduction is awaited. */
  readonly sessions: readonly Session[];
  /** Whether what is shown is kept up to date. */
  readonly live: LiveStatus;
  /** Why it could not be read or followed. Null once that works again. */
  readonly error: Error | null;
}
