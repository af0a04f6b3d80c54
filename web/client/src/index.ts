// @ledgerbell/client: see README.md.
export { createLedgerbell, type ClientStatus, type Ledgerbell, type LedgerbellOptions } from "./client.js";
export type { Document, Keyless, TypedDocument } from "./document.js";
export { RefusedError, RequestError, type GraphQLFault, type RequestErrorKind, type UserError } from "./errors.js";
export type { RequestOptions } from "./http.js";
export type { AccountState, AccountSummary, Balance, InboxItem, LogLine, Session, TopUp } from "./model.js";
export type { AccountOptions, AccountStore } from "./store.js";
export { newKey } from "./keys.js";
export type { EventOf, Live, LiveEvent, LiveMessage, LiveStatus } from "./live.js";
export type { Observable } from "./value.js";
