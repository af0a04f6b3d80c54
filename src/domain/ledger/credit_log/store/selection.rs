//! Turns a filter into conditions of SQL: one drives the query, the others are tested on the rows that it returns.

use chrono_tz::Tz;
use uuid::Uuid;

use crate::domain::database::keyset::Keyset;
use crate::domain::database::records::column_list;
use crate::domain::database::select::{Condition, Select, Source};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::LogEnd;
use crate::domain::ledger::credit_log::filter::{ActorKind, ActorRef, CreditLogFilter, Direction};
use crate::domain::ledger::credit_log::model::{Entry, UsageScope};
use crate::domain::ledger::model::EntryKind;
use crate::primitives::ids::{AccountId, MemberId};

/// The entries that a caller asked for and may see, by the filter's own conditions.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain::ledger::credit_log) struct Asked<'a> {
    pub(in crate::domain::ledger::credit_log) account_id: AccountId,
    pub(in crate::domain::ledger::credit_log) filter: &'a CreditLogFilter,
    /// The member whose entries alone the caller may see.
    pub(in crate::domain::ledger::credit_log) own: Option<MemberId>,
    /// The zone in which the filter's days are counted.
    pub(in crate::domain::ledger::credit_log) zone: Tz,
    /// Beyond this entry nothing is read.
    pub(in crate::domain::ledger::credit_log) end: Option<LogEnd>,
}

/// The entries that a caller asked for and may see.
///
/// It has no condition on time: an account's time never runs backwards, so instants have become a range of sequences.
#[derive(Clone, Debug)]
pub(in crate::domain::ledger::credit_log) struct Selection {
    pub(in crate::domain::ledger::credit_log) account_id: AccountId,
    pub(in crate::domain::ledger::credit_log) scope: UsageScope,
    /// The smallest sequence, inclusive.
    pub(in crate::domain::ledger::credit_log) from: i64,
    /// The largest sequence, inclusive.
    pub(in crate::domain::ledger::credit_log) to: i64,
    /// The largest sequence that is read at all, whatever the filter is.
    pub(super) end: i64,
    /// Conditions with their own index. Those that are expected to match the fewest entries come first.
    indexed: Vec<Condition>,
    residuals: Vec<Condition>,
}

impl Selection {
    /// Selects what was asked for.
    pub(in crate::domain::ledger::credit_log) async fn new(
        source: &impl Source,
        asked: &Asked<'_>,
    ) -> Result<Self, Fault> {
        let end = asked.end.map_or(i64::MAX, |end| end.sequence);
        let mut selection = Self {
            account_id: asked.account_id,
            scope: if asked.own.is_some() {
                UsageScope::Member
            } else {
                UsageScope::Account
            },
            from: 1,
            to: end,
            end,
            indexed: indexed(asked.filter, asked.own),
            residuals: residuals(asked.filter),
        };
        if !selection.matches_nothing() {
            selection.add_time(source, asked).await?;
        }
        Ok(selection)
    }

    pub(in crate::domain::ledger::credit_log) fn matches_nothing(&self) -> bool {
        self.from > self.to || self.conditions().any(Condition::matches_nothing)
    }

    /// Whether it is a range of the log, without other conditions.
    pub(in crate::domain::ledger::credit_log) fn is_range(&self) -> bool {
        self.conditions().next().is_none()
    }

    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.indexed.iter().chain(&self.residuals)
    }

    /// Turns instants into sequences, by one look-up for each end of the range.
    async fn add_time(&mut self, source: &impl Source, asked: &Asked<'_>) -> Result<(), Fault> {
        let (from, before) = asked.filter.instants(asked.zone);
        if from.is_none() && before.is_none() {
            return Ok(());
        }
        let mut select = Select::of(source, self.account_id, "SELECT ");
        let lookups = [
            (from, ">=", "occurred_at, sequence", "low"),
            (before, "<", "occurred_at DESC, sequence DESC", "high"),
        ];
        for (n, (instant, comparison, order, name)) in lookups.into_iter().enumerate() {
            select.push(if n == 0 { "" } else { ", " });
            match instant {
                Some(instant) => select
                    .push(&format!(
                        "(SELECT sequence FROM credit_entry WHERE account_id = $1 AND occurred_at {comparison} "
                    ))
                    .bind(instant.millis())
                    .push(&format!(" ORDER BY {order} LIMIT 1) AS {name}")),
                None => select.push(&format!("CAST(NULL AS BIGINT) AS {name}")),
            };
        }
        let Some((low, high)) = select.value::<(Option<i64>, Option<i64>)>(source).await? else {
            return Ok(());
        };
        if from.is_some() {
            // No entry is at or after the instant, so no sequence matches.
            self.from = low.unwrap_or(i64::MAX);
        }
        if before.is_some() {
            self.to = high.unwrap_or(0).min(self.end);
        }
        Ok(())
    }

    /// Returns the log as a list of pages.
    pub(in crate::domain::ledger::credit_log) fn keyset(&self) -> Keyset<i64> {
        // Conditions scan the text.
        let columns = format!("{}, search_text", column_list::<Entry>());
        let mut keyset = Keyset {
            from: self.from,
            to: self.to,
            ..Keyset::new("credit_entry", &["sequence"], columns)
        };
        for condition in &self.indexed {
            keyset.drive(condition.clone());
        }
        keyset.residuals.extend(self.residuals.iter().cloned());
        keyset
    }

    /// Adds all conditions except the range of sequences, each after an ` AND`: for sums, which read every row of the
    /// range.
    pub(super) fn and_all(&self, select: &mut Select) {
        select.and_all(self.conditions());
    }

    /// Adds all conditions.
    pub(super) fn and_range(&self, select: &mut Select) {
        select.push(" AND sequence >= ").bind(self.from);
        select.push(" AND sequence <= ").bind(self.to);
        self.and_all(select);
    }
}

/// Returns the conditions with an index, of one member's entries alone if `own` is set.
fn indexed(filter: &CreditLogFilter, own: Option<MemberId>) -> Vec<Condition> {
    let mut member_ids = filter.member_ids.clone();
    if let Some(own) = own {
        member_ids.restrict_to(own);
    }
    let conditions = [
        filter.session_ids.uuids("session_id"),
        filter.top_up_ids.uuids("top_up_id"),
        filter.actors.values().map(caused_by),
        member_ids.uuids("member_id"),
        filter.kinds.texts("kind", EntryKind::as_str),
    ];
    conditions.into_iter().flatten().collect()
}

/// A key that acted on behalf of a member matches by both columns.
fn caused_by(actors: &[ActorRef]) -> Condition {
    let (mut members, mut keys): (Vec<Uuid>, Vec<Uuid>) = (Vec::new(), Vec::new());
    for actor in actors {
        match actor {
            ActorRef::Member(id) => members.push(id.uuid()),
            ActorRef::ApiKey(id) => keys.push(id.uuid()),
        }
    }
    match (members.is_empty(), keys.is_empty()) {
        (_, true) => Condition::Uuids("actor_member_id", members),
        (true, false) => Condition::Uuids("actor_key_id", keys),
        (false, false) => Condition::Any(vec![
            Condition::Uuids("actor_member_id", members),
            Condition::Uuids("actor_key_id", keys),
        ]),
    }
}

/// Returns the conditions that are tested on rows.
fn residuals(filter: &CreditLogFilter) -> Vec<Condition> {
    let direction = filter.direction.map(|direction| {
        Condition::Plain(match direction {
            Direction::Added => "amount > 0",
            Direction::Deducted => "amount < 0",
        })
    });
    let (min, max) = (filter.amount.min(), filter.amount.max());
    let conditions = [
        filter.actor_kinds.texts("actor_kind", ActorKind::as_str),
        direction,
        min.map(|min| Condition::AtLeast("abs(amount)", min.units())),
        max.map(|max| Condition::AtMost("abs(amount)", max.units())),
    ];
    let search = filter.search.conditions("search_text");
    conditions.into_iter().flatten().chain(search).collect()
}

/// The time zone in which an account's days are counted.
pub(in crate::domain::ledger::credit_log) async fn account_zone(
    source: &impl Source,
    account_id: AccountId,
) -> Result<Tz, Fault> {
    let select = Select::of(source, account_id, "SELECT timezone FROM account WHERE account_id = $1");
    let Some(name) = select.value::<String>(source).await? else {
        return Ok(Tz::UTC);
    };
    name.parse().map_err(|_| {
        Fault::Internal(format!(
            "account {} has the unknown time zone {name}",
            account_id.number()
        ))
    })
}
