// How urql's Graphcache keeps what Ledgerbell answers: cacheExchange({ keys, … }).
// Types with an `id` are kept under it automatically. These belong to their parent: they have no `id`, or (`Actor`) differ under the
// same one, because a key acts on behalf of one member here and of another there.

const EMBEDDED = [
  "AccountConnection", "AccountEdge", "AccountEvent", "Actor", "AlertAction", "AlertConnection", "AlertEdge", "AlertEvent", "AlertsEvent",
  "AutoTopUpSimulation", "BalanceEvent", "BalanceExplanation", "CreditEntryConnection", "CreditEntryEdge", "CreditEntryEvent", "CreditHold",
  "CreditHoldConnection", "CreditHoldEdge", "CreditLotConnection", "CreditLotEdge", "CreditTotals", "CreditUsage", "CreditUsageConnection",
  "CreditUsageEdge", "DeliveryConnection", "DeliveryEdge", "Eligibility", "EntryFilter", "EntryFilterAmount",
  "EntryFilterDates", "EntryFilterInstants", "EventPage", "ExportLink", "FailedRefund",
  "FailedRefundConnection", "FailedRefundEdge", "Forecast", "LastFindings", "LotDraw", "MemberConnection", "MemberEdge", "Money",
  "NotificationDefaults", "NotificationPreference", "NotificationRow", "PageInfo", "QuietHours", "Remedy", "SessionConnection",
  "SessionEdge", "SessionEvent", "SessionResult", "SimulatedCharge", "SimulatedMonth", "TopUpConnection", "TopUpDecisionConnection",
  "TopUpDecisionEdge", "TopUpEdge", "TopUpEvent", "TopUpFailure", "TopUpQuote", "TroubleshootingEvent", "UnsettledTopUp",
  "UnsettledTopUpConnection", "UnsettledTopUpEdge", "UserError", "Webhook", "WebhookAttempt", "WebhookConnection", "WebhookEdge",
  "WebhookMessageConnection", "WebhookMessageEdge",
];

export const keys = {
  ...Object.fromEntries(EMBEDDED.map((type) => [type, () => null])),
  // Who is signed in: there is one.
  Viewer: () => "viewer",
};
