//! The ledger in the API: the credit log, usage, sessions, lots, balances, and their mutations.
//!
//! Called by the root types and by the account type. This module only converts types. The domain decides who may see what, and
//! all rules about credits.

mod balance;
mod credit_mutation;
mod entry;
mod entry_rows;
mod explanation;
mod export;
mod filter;
mod lot;
mod payload;
mod session;
mod session_input;
mod session_mutation;
mod subscription;
mod usage;

pub(super) use balance::{AccountStatus, Balance, Eligibility};
pub(super) use credit_mutation::CreditMutation;
pub(super) use entry::{Actor, ActorKind, CreditEntry, CreditEntryConnection, CreditEntryKind};
pub(super) use explanation::{BalanceExplanation, explain_balance};
pub(super) use export::{ExportFormat, ExportLink, export_link, filter_from_json, filter_to_json};
pub(super) use filter::{CreditDirection, CreditLogFilter, DateTimeRange, SortOrder, at_most_100, instants};
pub(super) use lot::{CreditLot, CreditLotConnection, CreditLotKind};
pub(super) use payload::{
    AdjustCreditsPayload, BookSessionPayload, BookSessionsPayload, CancelSessionPayload, CompleteSessionPayload,
    CompleteSessionsPayload, GrantCreditsPayload, RefundSessionPayload, RescheduleSessionPayload,
};
pub(super) use session::{Session, SessionConnection, SessionFilter, SessionOrder, SessionStatus};
pub(super) use session_mutation::SessionMutation;
pub(super) use subscription::{BalanceEvent, CreditEntryEvent, LedgerSubscription, SessionEvent, own_part};
pub(super) use usage::{CreditTotals, CreditUsage, CreditUsageConnection, UsageGrouping, UsageScope};
