//! Turns a filter into conditions of SQL: one drives the query, the others are tested on the rows that it returns.

use chrono_tz::Tz;
use uuid::Uuid;

use crate::domain::database::Database;
use crate::domain::database::keyset::{Branch, Keyset};
use crate::domain::database::records::column_list;
use crate::domain::database::select::{Condition, Select, Value};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::filter::{ActorRef, CheckedFilter, Direction};
use crate::domain::ledger::credit_log::model::{Entry, UsageScope};
use crate::primitives::ids::{AccountId, MemberId, SessionId, TopUpId};

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
    driving: Option<Driving>,
    residuals: Vec<Condition>,
    matches_nothing: bool,
}

/// The condition with its own index that is expected to match the fewest entries.
#[derive(Clone, Debug)]
enum Driving {
    Uuids(&'static str, Vec<Uuid>),
    Texts(&'static str, Vec<String>),
    Actors { members: Vec<Uuid>, keys: Vec<Uuid> },
}

impl Selection {
    /// Selects the entries of `filter`; `own` restricts it to one member's entries.
    pub(in crate::domain::ledger::credit_log) async fn new(
        database: &Database,
        account_id: AccountId,
        mut filter: CheckedFilter,
        own: Option<MemberId>,
    ) -> Result<Self, Fault> {
        if let Some(member_id) = own {
            filter.restrict_to(member_id);
        }
        let matches_nothing = filter.matches_nothing();
        let mut selection = Self {
            account_id,
            scope: if own.is_some() {
                UsageScope::Member
            } else {
                UsageScope::Account
            },
            from: 1,
            to: i64::MAX,
            driving: None,
            residuals: Vec::new(),
            matches_nothing,
        };
        if !matches_nothing {
            selection.add_time(database, &filter).await?;
            selection.add_conditions(filter);
        }
        Ok(selection)
    }

    pub(in crate::domain::ledger::credit_log) fn matches_nothing(&self) -> bool {
        self.matches_nothing || self.from > self.to
    }

    /// Turns instants into sequences, by one look-up for each end of the range.
    async fn add_time(&mut self, database: &Database, filter: &CheckedFilter) -> Result<(), Fault> {
        let zone = if filter.needs_zone() {
            account_zone(database, self.account_id).await?
        } else {
            Tz::UTC
        };
        let instants = filter.instants(zone);
        if instants.from.is_none() && instants.before.is_none() {
            return Ok(());
        }
        let mut select = Select::of(database, self.account_id, "SELECT ");
        let lookups = [
            (instants.from, ">=", "occurred_at, sequence", "low"),
            (instants.before, "<", "occurred_at DESC, sequence DESC", "high"),
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
        let Some((low, high)) = select.value::<(Option<i64>, Option<i64>)>(database).await? else {
            return Ok(());
        };
        if instants.from.is_some() {
            // No entry is at or after the instant, so no sequence matches.
            self.from = low.unwrap_or(i64::MAX);
        }
        if instants.before.is_some() {
            self.to = high.unwrap_or(0);
        }
        Ok(())
    }

    /// Adds conditions in the order in which they would drive: those that match the fewest entries first.
    fn add_conditions(&mut self, filter: CheckedFilter) {
        if let Some(ids) = filter.session_ids {
            self.add(Driving::Uuids(
                "session_id",
                ids.into_iter().map(SessionId::uuid).collect(),
            ));
        }
        if let Some(ids) = filter.top_up_ids {
            self.add(Driving::Uuids(
                "top_up_id",
                ids.into_iter().map(TopUpId::uuid).collect(),
            ));
        }
        if let Some(actors) = filter.actors {
            let (mut members, mut keys) = (Vec::new(), Vec::new());
            for actor in actors {
                match actor {
                    ActorRef::Member(id) => members.push(id.uuid()),
                    ActorRef::ApiKey(id) => keys.push(id.uuid()),
                }
            }
            self.add(Driving::Actors { members, keys });
        }
        if let Some(ids) = filter.member_ids {
            self.add(Driving::Uuids(
                "member_id",
                ids.into_iter().map(MemberId::uuid).collect(),
            ));
        }
        if let Some(kinds) = filter.kinds {
            self.add(Driving::Texts(
                "kind",
                kinds.into_iter().map(|kind| kind.as_str().to_owned()).collect(),
            ));
        }
        if let Some(kinds) = filter.actor_kinds {
            let kinds = kinds.into_iter().map(|kind| kind.as_str().to_owned()).collect();
            self.residuals.push(Condition::Texts("actor_kind", kinds));
        }
        self.residuals.extend(filter.direction.map(|direction| {
            Condition::Plain(match direction {
                Direction::Added => "amount > 0",
                Direction::Deducted => "amount < 0",
            })
        }));
        let (min, max) = (filter.amount.min, filter.amount.max);
        self.residuals
            .extend(min.map(|min| Condition::AtLeast("abs(amount)", min.units())));
        self.residuals
            .extend(max.map(|max| Condition::AtMost("abs(amount)", max.units())));
        let patterns = filter.patterns.into_iter();
        self.residuals
            .extend(patterns.map(|pattern| Condition::Like("search_text", pattern)));
    }

    fn add(&mut self, condition: Driving) {
        if self.driving.is_none() {
            self.driving = Some(condition);
        } else {
            self.residuals.push(condition.into_condition());
        }
    }

    /// Returns the log as a list of pages.
    pub(in crate::domain::ledger::credit_log) fn keyset(&self) -> Keyset<i64> {
        let mut branches = Vec::new();
        let mut has_repeats = false;
        let mut add = |column, values: Vec<Value>| {
            branches.extend(values.into_iter().map(|value| Branch { column, value }));
        };
        let uuids = |ids: &[Uuid]| ids.iter().map(|id| (*id).into()).collect();
        match &self.driving {
            None => {}
            Some(Driving::Uuids(column, ids)) => add(column, uuids(ids)),
            Some(Driving::Texts(column, texts)) => add(column, texts.iter().map(|text| text.clone().into()).collect()),
            Some(Driving::Actors { members, keys }) => {
                add("actor_member_id", uuids(members));
                add("actor_key_id", uuids(keys));
                // A key that acted on behalf of a member matches both conditions.
                has_repeats = !members.is_empty() && !keys.is_empty();
            }
        }
        Keyset {
            table: "credit_entry",
            key: &["sequence"],
            // Conditions scan the text.
            columns: format!("{}, search_text", column_list::<Entry>()),
            branches,
            has_repeats,
            residuals: self.residuals.clone(),
            from: self.from,
            to: self.to,
            descending: false,
        }
    }

    /// Adds all conditions except the range of sequences, each after an ` AND`: for sums, which read every row of the
    /// range.
    pub(super) fn and_all(&self, select: &mut Select) {
        let driving = self.driving.clone().map(Driving::into_condition);
        select.and_all(&driving).and_all(&self.residuals);
    }

    /// Adds all conditions.
    pub(super) fn and_range(&self, select: &mut Select) {
        select.push(" AND sequence >= ").bind(self.from);
        select.push(" AND sequence <= ").bind(self.to);
        self.and_all(select);
    }
}

impl Driving {
    fn into_condition(self) -> Condition {
        match self {
            Self::Uuids(column, ids) => Condition::Uuids(column, ids),
            Self::Texts(column, texts) => Condition::Texts(column, texts),
            Self::Actors { members, keys } => {
                let lists = [("actor_member_id", members), ("actor_key_id", keys)];
                let mut lists: Vec<Condition> = lists
                    .into_iter()
                    .filter(|(_, ids)| !ids.is_empty())
                    .map(|(column, ids)| Condition::Uuids(column, ids))
                    .collect();
                match lists.pop() {
                    Some(only) if lists.is_empty() => only,
                    last => Condition::Any(lists.into_iter().chain(last).collect()),
                }
            }
        }
    }
}

/// The time zone in which an account's days are counted.
pub(in crate::domain::ledger::credit_log) async fn account_zone(
    database: &Database,
    account_id: AccountId,
) -> Result<Tz, Fault> {
    let select = Select::of(
        database,
        account_id,
        "SELECT timezone FROM account WHERE account_id = $1",
    );
    let Some(name) = select.value::<String>(database).await? else {
        return Ok(Tz::UTC);
    };
    name.parse().map_err(|_| {
        Fault::Internal(format!(
            "account {} has the unknown time zone {name}",
            account_id.number()
        ))
    })
}
