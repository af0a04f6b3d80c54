// Example data: of usual length, and with long words.

const LONG =
  "Donaudampfschifffahrtsgesellschaftskapitänsprüfung und Vorstellungsgespräch in Llanfairpwllgwyngyllgogerychwyrndrobwll";

/** Returns the instant this number of hours ago. */
export const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
const euro = (amount: string) => ({ amount, currency: "EUR" });
const titled = (isLong: boolean, title: string) => (isLong ? LONG : title);
const NAMES = ["Ada Okafor", "Luca Moretti", "Zoé Laurent", "Kenji Watanabe"];
const nameOf = (at: number, isLong: boolean) => titled(isLong, NAMES[at % NAMES.length] ?? "");

const KINDS = ["SESSION", "TOP_UP", "SESSION_REFUND", "GRANT", "EXPIRY", "AUTO_TOP_UP", "ADJUSTMENT"];

export const line = (at: number, isLong: boolean) => ({
  id: `line-${at}`,
  sequence: String(10_000 - at),
  occurredAt: ago(at * 7 + 0.1),
  kind: KINDS[at % KINDS.length],
  amount: isLong ? "-123456789012.3456" : at % 3 ? "-7.5" : "150",
  balanceAfter: isLong ? "987654321098.7654" : String(420 - at * 3),
  description: titled(isLong, "Presentation coaching"),
  actor: { kind: "API_KEY", label: titled(isLong, "Booking platform") },
  member: { id: `member-${at % 4}`, name: nameOf(at, isLong) },
  session: null,
  topUp: null,
});

const SEVERITIES = ["CRITICAL", "WARNING", "INFO"];

export const item = (at: number, isLong: boolean) => ({
  id: `item-${at}`,
  readAt: at % 2 ? ago(at) : null,
  archivedAt: null,
  alert: {
    id: `alert-${at}`,
    kind: "LOW_BALANCE",
    severity: SEVERITIES[at % 3],
    title: titled(isLong, "Credits are running low"),
    body: titled(isLong, "42 credits are available. At the present rate they last about 3 days."),
    raisedAt: ago(at * 5 + 0.2),
    resolvedAt: at % 4 === 3 ? ago(at) : null,
    action:
      at % 3 ? null : { label: titled(isLong, "Buy credits"), nextStep: "TOP_UP", url: "https://example.com/buy" },
  },
});

export const delivery = {
  id: "delivery-1",
  channel: "EMAIL",
  status: "SUPPRESSED",
  suppressedBecause: "QUIET_HOURS",
  address: "ada@example.com",
  attempts: 1,
  lastError: null,
  nextAttemptAt: null,
  sentAt: null,
  createdAt: ago(4),
  recipient: { id: "member-1", name: "Ada Okafor" },
  notificationAddress: null,
};

export const card = (at: number, isLong: boolean) => ({
  id: `card-${at}`,
  brand: isLong ? "interkontinentalkreditkartenverbund" : ["visa", "mastercard", "amex"][at % 3],
  last4: ["4242", "4444", "0005"][at % 3],
  expiryMonth: 7,
  expiryYear: 2029,
  status: ["ACTIVE", "EXPIRING", "EXPIRED"][at % 3],
  isDefault: at === 0,
});

const STATUSES = ["FAILED", "REQUIRES_ACTION", "PROCESSING", "SUCCEEDED", "DISPUTED", "REVERSED", "CANCELED"];

export const purchase = (at: number, isLong: boolean) => {
  const status = STATUSES[at % STATUSES.length] ?? "";
  const isOver = status !== "FAILED" && status !== "REQUIRES_ACTION";
  const message = titled(
    isLong,
    "The card's account does not hold enough money. Add funds to it, then retry, or use another card.",
  );
  return {
    id: `purchase-${at}`,
    status,
    origin: at % 2 ? "AUTO" : "MANUAL",
    credits: isLong ? "123456789012.3456" : "250",
    price: euro(isLong ? "148148146814.81" : "300.00"),
    canRetry: status === "FAILED",
    failure: isOver
      ? null
      : { code: "INSUFFICIENT_FUNDS", message, nextStep: "RETRY", actionUrl: "https://example.com/bank" },
    attempts: [0, 1].map((number) => ({
      id: `attempt-${at}-${number}`,
      number: number + 1,
      outcome: number && isOver ? "SUCCEEDED" : "DECLINED",
      failureCode: number && isOver ? null : "INSUFFICIENT_FUNDS",
      startedAt: ago(at * 20 + 2 - number),
      finishedAt: ago(at * 20 + 2 - number),
      paymentMethod: card(0, isLong),
      actor: { label: nameOf(at, isLong) },
    })),
    requestedBy: { label: nameOf(at, isLong) },
    nextAttemptAt: null,
    creditsReversed: "0",
    createdAt: ago(at * 20 + 2),
    updatedAt: ago(at * 20 + 1),
  };
};

export const rule = (isLong: boolean, hasCard: boolean) => ({
  id: "rule",
  version: 3,
  enabled: hasCard,
  state: hasCard ? "PAUSED" : "OFF",
  pauseReason: hasCard ? "REPEATED_DECLINES" : null,
  trigger: hasCard ? "45" : null,
  amount: hasCard ? "150" : null,
  monthlyCap: hasCard ? euro("1000.00") : null,
  spentThisMonth: euro(hasCard ? "360.00" : "0.00"),
  capResetsAt: hasCard ? ago(-200) : null,
  paymentMethod: hasCard ? card(0, isLong) : null,
  consentedBy: hasCard ? { label: nameOf(0, isLong) } : null,
  consentedAt: hasCard ? ago(900) : null,
  decisions: {
    nodes: hasCard
      ? [{ id: "decision", decidedAt: ago(3), outcome: "PAUSED", message: titled(isLong, "Auto top-up is paused.") }]
      : [],
  },
});

export const simulation = {
  from: ago(2160),
  until: ago(0),
  isExact: true,
  chargeCount: 10,
  credits: "1500",
  cost: euro("1800.00"),
  lowestAvailable: "-4.25",
  timesBelowZero: 2,
  months: ["2026-09", "2026-10", "2026-11"].map((month) => ({
    month,
    charges: 3,
    cost: euro("540.00"),
    capReached: month === "2026-10",
  })),
};

const REMEDIES = [
  { label: "Retry top-up", action: "RETRY_TOP_UP", mutation: "retryTopUp", variables: { input: {} }, url: null },
  {
    label: "Confirm payment",
    action: "AUTHENTICATE",
    mutation: null,
    variables: null,
    url: "https://example.com/bank",
  },
  { label: "Ask an owner", action: "ASK_OWNER", mutation: null, variables: null, url: null },
];

export const finding = (at: number, isLong: boolean) => ({
  id: `finding-${at}`,
  code: "TOP_UP_FAILED",
  symptom: "TOP_UP_FAILED",
  severity: SEVERITIES[at % 3],
  summary: titled(isLong, "A top-up of 100 credits failed"),
  cause: titled(
    isLong,
    "Charging 120.00 EUR to the card visa …4242 failed: the card's account does not hold enough money.",
  ),
  since: ago(at + 1),
  remedy: {
    ...REMEDIES[at % 3],
    help: titled(isLong, "Make sure that the card's account holds enough. Then retry the top-up."),
  },
});

const GROUPS: [string, string, string[]][] = [
  ["BALANCE", "Balance", ["Low balance", "Out of credits", "Credits about to expire"]],
  ["TOP_UPS", "Top-ups and cards", ["Top-up succeeded", "Top-up failed", "Auto top-up paused"]],
  ["ACCOUNT", "Account and contact", ["Account frozen", "Mail bounces"]],
];

export const settings = (isLong: boolean) => ({
  id: "settings",
  version: 1,
  lowBalanceThreshold: null,
  quietHours: { start: "22:00", end: "07:00" },
  rows: GROUPS.flatMap(([group, groupTitle, titles]) =>
    titles.map((title, at) => ({
      kind: `${group}_${at}`,
      title: titled(isLong, title),
      description: titled(isLong, "What has happened, in a sentence."),
      group,
      groupTitle: titled(isLong, groupTitle),
      cells: ["EMAIL", "IN_APP"].map((channel) => ({
        channel,
        enabled: at !== 0 || channel === "IN_APP",
        locked: at === 1,
        isDefault: true,
        source: "PLATFORM",
        label: `${title}: ${channel}`,
      })),
    })),
  ),
});

export const contact = (isLong: boolean) => ({
  id: "contact",
  email: isLong ? `${"a".repeat(50)}@${"example".repeat(6)}.com` : "ada@example.com",
  emailStatus: "UNVERIFIED",
  bounceMessage: null,
  locale: "en",
  timezone: "Europe/Berlin",
  version: 1,
});

/** Returns example usage for each day, member and kind. */
export const usage = (by: string, isLong: boolean) =>
  Array.from({ length: by === "DAY" ? 30 : by === "MEMBER" ? 12 : 4 }, (_, at) => ({
    key: `${by}-${at}`,
    date: by === "DAY" ? ago(at * 24).slice(0, 10) : null,
    kind: by === "KIND" ? (KINDS[at] ?? null) : null,
    member: by === "MEMBER" ? { id: `member-${at}`, name: nameOf(at, isLong) } : null,
    totals: { count: "1", added: "0", deducted: String(((at * 37) % 50) + 5) },
    closingBalance: null,
  }));
