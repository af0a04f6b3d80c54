// @ledgerbell/react: see README.md.
export { Balance } from "./balance.js";
export { Bell } from "./bell.js";
export { CreditLog, type CreditLogProps } from "./creditLog.js";
export { useAccount, useBalance, useCreditLog, useInbox, useLiveStatus, type Inbox as InboxHook } from "./hooks.js";
export { Inbox, type InboxProps } from "./inbox.js";
export { addedTo, type CreditLogFilter, type CreditLogState, type CreditLogTotals, type EntryKind } from "./log.js";
export { LedgerbellProvider, useLedgerbell, type LedgerbellProviderProps } from "./provider.js";
