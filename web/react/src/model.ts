// The data that components show. Amounts are exact strings; instants are RFC 3339 in UTC.
import type { LiveStatus, LogLine } from "@ledgerbell/client";

/** Data that is read and kept up to date. */
export interface Followed<Data> {
  /**
   * `loading` until it was read; `missing` if there is no such account that the viewer may see; `hidden` if the viewer
   * may not see this part of it.
   */
  readonly phase: "loading" | "ready" | "missing" | "hidden";
  readonly data: Data | null;
  /** Whether the data is kept up to date. */
  readonly live: LiveStatus;
  /** Why the data could not be read or followed. Null after the next success. */
  readonly error: Error | null;
}

/** An amount of money. */
export interface Money {
  amount: string;
  currency: string;
}

/** A card. */
export interface Card {
  id: string;
  brand: string;
  last4: string;
  expiryMonth: number;
  expiryYear: number;
  status: string;
  isDefault: boolean;
}

/** One attempt to charge for a purchase. */
export interface Attempt {
  id: string;
  number: number;
  outcome: string;
  failureCode: string | null;
  startedAt: string;
  finishedAt: string | null;
  paymentMethod: Pick<Card, "id" | "brand" | "last4"> | null;
  actor: { label: string };
}

/** A purchase of credits. */
export interface Purchase {
  id: string;
  status: string;
  origin: string;
  credits: string;
  price: Money;
  canRetry: boolean;
  failure: { code: string; message: string; nextStep: string; actionUrl: string | null } | null;
  attempts: readonly Attempt[];
  requestedBy: { label: string };
  nextAttemptAt: string | null;
  creditsReversed: string;
  createdAt: string;
  updatedAt: string;
}

/** Purchases, newest first. */
export interface Purchases {
  list: readonly Purchase[];
  hasMore: boolean;
  endCursor: string | null;
  /** Whether the viewer may buy. */
  canBuy: boolean;
}

/** Why a top-up was or was not started. */
export interface Decision {
  id: string;
  decidedAt: string;
  outcome: string;
  message: string;
}

/** The rule of auto top-up. */
export interface Rule {
  id: string;
  version: number;
  enabled: boolean;
  state: string;
  pauseReason: string | null;
  trigger: string | null;
  amount: string | null;
  monthlyCap: Money | null;
  spentThisMonth: Money;
  capResetsAt: string | null;
  paymentMethod: Card | null;
  consentedBy: { label: string } | null;
  consentedAt: string | null;
  decisions: { nodes: readonly Decision[] } | null;
}

/** Cards, and the rule that charges them. */
export interface Payment {
  cards: readonly Card[];
  rule: Rule | null;
  creditPrice: Money;
  /** Whether the viewer may buy. */
  canBuy: boolean;
}

/** What a rule would have done in the past. */
export interface Simulation {
  from: string;
  until: string;
  isExact: boolean;
  chargeCount: number;
  credits: string;
  cost: Money;
  lowestAvailable: string;
  timesBelowZero: number;
  months: readonly { month: string; charges: number; cost: Money; capReached: boolean }[];
}

/** The price of credits. */
export interface Quote {
  minimum: string;
  maximum: string;
  step: string;
  price: Money | null;
}

/** A problem of the account. */
export interface Finding {
  id: string;
  code: string;
  symptom: string;
  severity: string;
  summary: string;
  cause: string;
  since: string;
  remedy: {
    label: string;
    action: string;
    mutation: string | null;
    variables: unknown;
    url: string | null;
    help: string;
  };
}

/** Whether one kind of alert reaches the member by one channel. */
export interface SettingsCell {
  channel: string;
  enabled: boolean;
  locked: boolean;
  isDefault: boolean;
  source: string;
  label: string;
}

/** One kind of alert, with its channels. */
export interface SettingsRow {
  kind: string;
  title: string;
  description: string;
  group: string;
  groupTitle: string;
  cells: readonly SettingsCell[];
}

/** Which alerts reach the member. */
export interface Settings {
  id: string;
  version: number;
  lowBalanceThreshold: string | null;
  quietHours: { start: string; end: string } | null;
  rows: readonly SettingsRow[];
}

/** The member's address, and its verification. */
export interface Contact {
  id: string;
  email: string | null;
  emailStatus: string;
  bounceMessage: string | null;
  locale: string;
  timezone: string;
  version: number;
}

/** The member's settings and contact. */
export interface MySettings {
  settings: Settings;
  contact: Contact;
}

/** The delivery of an alert to one recipient by one channel. */
export interface Delivery {
  id: string;
  channel: string;
  status: string;
  suppressedBecause: string | null;
  address: string | null;
  attempts: number;
  lastError: string | null;
  nextAttemptAt: string | null;
  sentAt: string | null;
  createdAt: string;
  /** The member. Null where the mail is for an address that belongs to no member. */
  recipient: { id: string; name: string } | null;
  notificationAddress: { id: string; label: string } | null;
}

/** The usage of one group. */
export interface UsageGroup {
  key: string;
  date: string | null;
  kind: string | null;
  member: { id: string; name: string } | null;
  totals: { count: string; added: string; deducted: string };
  closingBalance: string | null;
}

/** How long credits last. */
export interface Forecast {
  creditsPerDay: string;
  daysLeft: number | null;
  depletedAt: string | null;
  nextAutoTopUpAt: string | null;
}

/** The kind of a line. */
export type EntryKind =
  | "TOP_UP"
  | "AUTO_TOP_UP"
  | "GRANT"
  | "SESSION"
  | "SESSION_REFUND"
  | "EXPIRY"
  | "REVERSAL"
  | "CHARGEBACK"
  | "ADJUSTMENT";

/** Selects the listed lines; empty selects all. Like CreditLogFilter in the schema. */
export interface CreditLogFilter {
  actorKinds?: ("MEMBER" | "API_KEY" | "SYSTEM" | "PAYMENT_GATEWAY")[];
  actorIds?: string[];
  /** Calendar days of the account, both inclusive. */
  dates?: { from?: string; to?: string; timezone?: string };
  kinds?: EntryKind[];
  direction?: "ADDED" | "DEDUCTED";
  memberIds?: string[];
  sessionIds?: string[];
  topUpIds?: string[];
  /** From is inclusive, before is exclusive. */
  occurredAt?: { from?: string; before?: string };
  /** Bounds on the absolute amount, both inclusive. */
  amount?: { min?: string; max?: string };
  search?: string;
}

/** Sums over all lines that match the filter, also those that are not loaded. */
export interface CreditLogTotals {
  count: string;
  added: string;
  deducted: string;
  net: string;
}

/** The state of a log. */
export interface CreditLogState {
  phase: "loading" | "ready" | "missing";
  /**
   * All lines that were read, newest first. Null for lines that were dropped to save memory; `keep` reads them again.
   */
  lines: readonly (LogLine | null)[];
  totals: CreditLogTotals | null;
  /** Whether there are older lines. */
  hasMore: boolean;
  isLoadingMore: boolean;
  live: LiveStatus;
  /** Why the lines could not be read or followed. Null after the next success. */
  error: Error | null;
}

/** One line with everything that belongs to it. */
export interface EntryDetails extends Omit<LogLine, "session"> {
  balanceBefore: string;
  hash: string;
  session: {
    id: string;
    title: string;
    status: string;
    startsAt: string;
    endsAt: string;
    booked: string;
    charged: string | null;
    refunded: string;
  } | null;
  reverses: { id: string; description: string; occurredAt: string } | null;
  reversedBy: readonly { id: string; description: string; occurredAt: string }[];
  lotDraws: readonly {
    amount: string;
    lot: { id: string; kind: string; granted: string; remaining: string; expiresAt: string | null };
  }[];
}

/** The usage in a period. */
export interface Used {
  timezone: string;
  groups: readonly UsageGroup[];
}
