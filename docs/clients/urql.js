// How urql's Graphcache keeps what Ledgerbell answers: cacheExchange({ keys, … }).
// Types with an `id` are kept under it by themselves. These have none: they belong to their parent.

const EMBEDDED = [
  "AccountConnection", "AccountEdge", "AccountEvent", "Actor", "AlertAction", "AlertConnection", "AlertEdge", "AlertEvent", "AlertsEvent",
  "AutoTopUpSimulation", "BalanceEvent", "BalanceExplanation", "CreditEntryConnection", "CreditEntryEdge", "CreditEntryEvent",
  "CreditHold", "CreditHoldConnection", "CreditHoldEdge", "CreditLotConnection", "CreditLotEdge", "CreditTotals", "CreditUsage",
  "CreditUsageConnection", "CreditUsageEdge", "DeliveryConnection", "DeliveryEdge", "Eligibility", "EventPage", "Evidence", "ExportLink",
  "Forecast", "LotDraw", "MemberConnection", "MemberEdge", "Money", "NotificationPreference", "NotificationRow", "PageInfo", "QuietHours",
  "Remedy", "SessionConnection", "SessionEdge", "SessionEvent", "SimulatedCharge", "TopUpConnection", "TopUpDecisionConnection",
  "TopUpDecisionEdge", "TopUpEdge", "TopUpEvent", "TopUpFailure", "TopUpQuote", "TroubleshootingEvent", "UserError",
];

export const keys = {
  ...Object.fromEntries(EMBEDDED.map((type) => [type, () => null])),
  // Who is signed in: there is one.
  Viewer: () => "viewer",
};
