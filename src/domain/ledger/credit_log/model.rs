//! What the credit log answers.

use chrono::NaiveDate;

use crate::domain::ledger::model::{ContraAccount, EntryKind, Lot, NewEntry};
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, EntryId, MemberId, SessionId, TopUpId};

/// One immutable line of the credit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: EntryId,
    /// Whose log it is in.
    pub account_id: AccountId,
    /// Its number: 1, 2, 3… without holes.
    pub sequence: i64,
    /// When.
    pub occurred_at: Timestamp,
    /// What it records.
    pub kind: EntryKind,
    /// The other side.
    pub contra: ContraAccount,
    /// How much, with its sign.
    pub amount: Credits,
    /// The balance after it.
    pub balance_after: Credits,
    /// For people.
    pub description: String,
    /// Who caused it.
    pub cause: Cause,
    /// Whose use it was.
    pub member_id: Option<MemberId>,
    /// Its session.
    pub session_id: Option<SessionId>,
    /// Its top-up.
    pub top_up_id: Option<TopUpId>,
    /// The entry it reverses.
    pub reverses: Option<EntryId>,
    /// How much of it was given back or taken back since.
    pub taken_back: Credits,
    /// Chains to the entry before.
    pub hash: [u8; 32],
}

impl Entry {
    /// An entry that has just been posted, of which nothing has been given or taken back yet.
    pub fn posted(account_id: AccountId, entry: NewEntry) -> Self {
        Self {
            id: entry.id,
            account_id,
            sequence: entry.sequence,
            occurred_at: entry.occurred_at,
            kind: entry.kind,
            contra: entry.contra,
            amount: entry.amount,
            balance_after: entry.balance_after,
            description: entry.description,
            cause: entry.cause,
            member_id: entry.member_id,
            session_id: entry.session_id,
            top_up_id: entry.top_up_id,
            reverses: entry.reverses,
            taken_back: Credits::ZERO,
            hash: entry.hash,
        }
    }

    /// The balance before it.
    pub fn balance_before(&self) -> Credits {
        Credits::from_units(self.balance_after.units().saturating_sub(self.amount.units()))
    }
}

crate::text_enum! {
    /// Whose entries a figure is about.
    UsageScope {
        /// All of the account's.
        Account = "ACCOUNT",
        /// Only the viewer's own.
        Member = "MEMBER",
    }
}

/// Sums over entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditTotals {
    /// Whose entries these are.
    pub scope: UsageScope,
    /// How many entries.
    pub count: i64,
    /// What came in.
    pub added: Credits,
    /// What went out, as a positive amount.
    pub deducted: Credits,
}

impl CreditTotals {
    /// Sums over these entries.
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

    /// What came in less what went out.
    pub fn net(&self) -> Credits {
        Credits::from_units(self.added.units().saturating_sub(self.deducted.units()))
    }
}

crate::text_enum! {
    /// What usage is grouped by.
    UsageGrouping {
        /// By the member whose use it was.
        Member = "MEMBER",
        /// By kind of entry.
        Kind = "KIND",
        /// By who caused it.
        Actor = "ACTOR",
        /// By hour of the clock.
        Hour = "HOUR",
        /// By calendar day.
        Day = "DAY",
        /// By week from Monday.
        Week = "WEEK",
        /// By calendar month.
        Month = "MONTH",
    }
}

/// The entries that have something in common, summed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageGroup {
    /// What they have in common, as text: one part for each grouping, in the order asked for, joined by `/`. A member's part is
    /// its id, or `-` for entries that concern nobody; a period's is its first day, an hour's its first instant.
    pub key: String,
    /// The member, when grouped by member.
    pub member_id: Option<MemberId>,
    /// The kind, when grouped by kind.
    pub kind: Option<EntryKind>,
    /// The cause, when grouped by actor.
    pub actor: Option<Cause>,
    /// The first day of the period in the zone.
    pub date: Option<NaiveDate>,
    /// Where the period begins.
    pub period_start: Option<Timestamp>,
    /// Where it ends; not part of it.
    pub period_end: Option<Timestamp>,
    /// The sums.
    pub totals: CreditTotals,
    /// The account's balance at the end of the period, where only a period is grouped by and the viewer sees the whole log.
    pub closing_balance: Option<Credits>,
}

/// What an entry moved into (positive) or out of (negative) a lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LotDraw {
    /// The lot, as it is now.
    pub lot: Lot,
    /// How much, with its sign.
    pub amount: Credits,
}

/// A line of the log with what a file needs besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRow {
    /// The line.
    pub entry: Entry,
    /// Its session's title.
    pub session_title: Option<String>,
    /// The platform's own id of its session.
    pub session_external_id: Option<String>,
}

/// The oldest entries that name one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamingEntries {
    /// The first 100.
    pub entries: Vec<Entry>,
    /// How many there are.
    pub total: i64,
}
