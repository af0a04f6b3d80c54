// @ledgerbell/react: see README.md.
export { useAction, type Action } from "./actions.js";
export { useUrlState, type Fields } from "./address.js";
export { AutoTopUp } from "./autoTopUp.js";
export { Balance } from "./balance.js";
export { Bell } from "./bell.js";
export { BuyCredits, type BuyCreditsProps } from "./buyCredits.js";
export { AddCard, PaymentMethods, useSimulatedCards } from "./cards.js";
export { CreditLog, type CreditLogProps } from "./creditLog.js";
export { Findings, type FindingsProps } from "./findings.js";
export {
  useAccount,
  useBalance,
  useCreditLog,
  useFindings,
  useForecast,
  useInbox,
  useLiveStatus,
  useUsage,
  type Inbox as InboxHook,
} from "./hooks.js";
export { Inbox, type InboxProps } from "./inbox.js";
export type * from "./model.js";
export { NotificationSettings } from "./notificationSettings.js";
export { useOlderAlerts, type AlertView, type OlderAlerts } from "./olderAlerts.js";
export { Field } from "./parts.js";
export {
  usePayment,
  usePurchases,
  useQuote,
  useSimulation,
  type Asked,
  type PaymentHook,
  type PurchasesHook,
  type RuleChange,
} from "./payments.js";
export { LedgerbellProvider, useLedgerbell, type LedgerbellProviderProps } from "./provider.js";
export { useNotificationSettings, type ContactChange, type SettingsHook } from "./settings.js";
export type { Payments, StripeLike } from "./stripe.js";
export { addedTo } from "./sums.js";
export { Toasts, type ToastsProps } from "./toasts.js";
export { TopUps } from "./topUps.js";
export { useTyped, type Typed } from "./typed.js";
export { Usage } from "./usage.js";
export { useUrlChoice, type LogChoice } from "./url.js";
