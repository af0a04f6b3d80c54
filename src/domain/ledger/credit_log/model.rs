//! Values that the credit log returns.

use std::collections::HashMap;

use chrono::NaiveDate;

use crate::domain::ledger::model::{EntryKind, Lot};
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId, SessionId};

pub use crate::domain::ledger::model::Entry;

crate::text_enum! {
    /// Whose entries a figure covers.
    UsageScope {
        /// All entries of the account.
        Account = "ACCOUNT",
        /// Only the viewer's own entries.
        Member = "MEMBER",
    }
}

/// Sums over entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditTotals {
    /// Whose entries the sums cover.
    pub scope: UsageScope,
    /// Number of entries.
    pub count: i64,
    /// Sum of the positive amounts.
    pub added: Credits,
    /// Sum of the negative amounts, as a positive number.
    pub deducted: Credits,
}

impl CreditTotals {
    /// Computes the sums over these entries.
    pub fn of(scope: UsageScope, entries: &[Entry]) -> Self {
        let sum = |is_of_this_side: fn(i64) -> bool| {
            let amounts = entries.iter().map(|entry| entry.amount.units());
            let units = amounts.filter(|units| is_of_this_side(*units)).map(i64::saturating_abs);
            Credits::from_units(units.fold(0, i64::saturating_add))
        };
        Self {
            scope,
            count: i64::try_from(entries.len()).unwrap_or(i64::MAX),
            added: sum(i64::is_positive),
            deducted: sum(i64::is_negative),
        }
    }

    /// Added minus deducted.
    pub fn net(&self) -> Credits {
        Credits::from_units(self.added.units().saturating_sub(self.deducted.units()))
    }
}

crate::text_enum! {
    /// The property by which usage is grouped.
    UsageGrouping {
        /// The member whose use it was.
        Member = "MEMBER",
        /// The kind of entry.
        Kind = "KIND",
        /// The cause of the entry.
        Actor = "ACTOR",
        /// The hour of the local clock.
        Hour = "HOUR",
        /// The calendar day.
        Day = "DAY",
        /// The week, beginning on Monday.
        Week = "WEEK",
        /// The calendar month.
        Month = "MONTH",
    }
}

/// Sums over the entries that share the grouped properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageGroup {
    /// The shared values as text: one part for each grouping, in the requested order, joined by `/`. A member's part is its id,
    /// or `-` for entries that concern no member. A period's part is its first day, an hour's its first instant.
    pub key: String,
    /// The member, when grouped by member.
    pub member_id: Option<MemberId>,
    /// The kind, when grouped by kind.
    pub kind: Option<EntryKind>,
    /// The cause, when grouped by actor.
    pub actor: Option<Cause>,
    /// The first day of the period, in the requested zone.
    pub date: Option<NaiveDate>,
    /// The first instant of the period.
    pub period_start: Option<Timestamp>,
    /// The end of the period, exclusive.
    pub period_end: Option<Timestamp>,
    /// The sums over the group's entries.
    pub totals: CreditTotals,
    /// The account's balance at the end of the period. Set only where a period is the only grouping and the viewer sees the
    /// whole log.
    pub closing_balance: Option<Credits>,
}

/// What an entry moved into (positive) or out of (negative) a lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LotDraw {
    /// The current state of the lot.
    pub lot: Lot,
    /// Credits, with the sign of the movement.
    pub amount: Credits,
}

/// A line of the log with the session's names, for an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRow {
    /// The log line.
    pub entry: Entry,
    /// The title of its session.
    pub session_title: Option<String>,
    /// The platform's own id of its session.
    pub session_external_id: Option<String>,
}

/// The oldest entries that refer to one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamingEntries {
    /// The first 100.
    pub entries: Vec<Entry>,
    /// The total number of such entries.
    pub total: i64,
}

/// What a reader calls an object that an entry refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name<I> {
    /// The account of the object.
    pub account_id: AccountId,
    /// The object.
    pub id: I,
    /// The platform's own id of the object.
    pub external_id: Option<String>,
    /// The name of a member, or the title of a session.
    pub text: String,
}

/// The names of objects that entries refer to. Those that do not exist are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The names of members.
    pub members: HashMap<MemberId, Name<MemberId>>,
    /// The names of sessions.
    pub sessions: HashMap<SessionId, Name<SessionId>>,
}
