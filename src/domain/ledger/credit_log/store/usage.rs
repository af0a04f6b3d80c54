//! SQL of usage: sums of entries by group.

use uuid::Uuid;

use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::Fields;
use crate::domain::database::select::{Select, Source, Value};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::model::{UsageGroup, UsageGrouping};
use crate::domain::ledger::credit_log::period::Period;
use crate::domain::ledger::credit_log::usage::{Grouping, Span, actor_key, member_key};
use crate::domain::ledger::model::EntryKind;
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, MemberId};

use super::selection::Selection;
use super::{SUMS, broken, no_totals, range_sums, sums};

/// An instant as a parameter of a statement.
#[derive(Record)]
struct Instant {
    place: i64,
    instant: Timestamp,
}

/// A period as a parameter of a statement.
#[derive(Record)]
struct Sequences {
    place: i64,
    low: i64,
    high: i64,
}

/// Returns the groups' columns, each as the expression over an entry and the name by which it is compared. Texts compare
/// by their bytes and missing ids as nil, so that both databases order groups alike.
fn columns(grouping: &Grouping, select: &mut Select) -> (Vec<String>, Vec<&'static str>) {
    let missing = select.placeholder(Uuid::nil());
    let text = |column: &str, name: &str| format!("{column} COLLATE {} AS {name}", select.byte_collation());
    let id = |column: &str, name: &str| format!("COALESCE({column}, {missing}) AS {name}");
    let (mut computed, mut names) = (Vec::new(), Vec::new());
    for part in &grouping.parts {
        match part {
            UsageGrouping::Member => {
                computed.push(id("member_id", "group_member"));
                names.push("group_member");
            }
            UsageGrouping::Kind => {
                computed.push(text("kind", "group_kind"));
                names.push("group_kind");
            }
            UsageGrouping::Actor => {
                computed.push(text("actor_kind", "group_actor"));
                computed.push(id("actor_key_id", "group_actor_key"));
                computed.push(id("actor_member_id", "group_actor_member"));
                names.extend(["group_actor", "group_actor_key", "group_actor_member"]);
            }
            UsageGrouping::Hour | UsageGrouping::Day | UsageGrouping::Week | UsageGrouping::Month => {}
        }
    }
    (computed, names)
}

/// A group of a period, without its other parts and its sums.
fn empty_group(period: Option<&Period>, selection: &Selection) -> UsageGroup {
    UsageGroup {
        key: String::new(),
        member_id: None,
        kind: None,
        actor: None,
        date: period.map(|period| period.date),
        period_start: period.map(|period| period.start),
        period_end: period.map(|period| period.end),
        totals: no_totals(selection.scope),
        closing_balance: None,
    }
}

/// The part of a group's key that names its period.
fn period_key(part: UsageGrouping, group: &UsageGroup) -> String {
    let key = match part {
        UsageGrouping::Hour => group.period_start.map(|start| start.to_string()),
        _ => group.date.map(|date| date.to_string()),
    };
    key.unwrap_or_default()
}

/// Returns the groups of spans without other parts and conditions, at most `room`, from the ends of the spans.
async fn periods(
    source: &impl Source,
    rest: &Selection,
    part: UsageGrouping,
    spans: &[Span],
    room: usize,
) -> Result<Vec<UsageGroup>, Fault> {
    let ranges: Vec<(i64, i64)> = spans.iter().map(|span| (span.low, span.high)).collect();
    let sums = range_sums(source, rest, &ranges).await?;
    let groups = spans.iter().zip(sums).filter_map(|(span, sums)| {
        let group = empty_group(Some(&span.period), rest);
        Some(UsageGroup {
            key: period_key(part, &group),
            totals: sums?,
            ..group
        })
    });
    Ok(groups.take(room).collect())
}

/// Reads a group from the columns of its parts and the sums; `period` is the one that contains it.
fn group(
    grouping: &Grouping,
    fields: &mut Fields<'_>,
    period: Option<&Period>,
    selection: &Selection,
) -> Result<UsageGroup, Fault> {
    let id = |fields: &mut Fields<'_>| -> Result<Option<Uuid>, Fault> {
        Ok(Some(fields.next::<Uuid>()?).filter(|id| !id.is_nil()))
    };
    let mut group = empty_group(period, selection);
    let mut keys = Vec::new();
    for part in &grouping.parts {
        keys.push(match part {
            UsageGrouping::Member => {
                group.member_id = id(fields)?.map(MemberId::from_uuid);
                group
                    .member_id
                    .map_or_else(|| "-".to_owned(), |id| member_key(id, selection.account_id))
            }
            UsageGrouping::Kind => {
                let kind: EntryKind = fields.next()?;
                group.kind = Some(kind);
                kind.as_str().to_owned()
            }
            UsageGrouping::Actor => {
                let kind: String = fields.next()?;
                let key = id(fields)?.map(ApiKeyId::from_uuid);
                let member = id(fields)?.map(MemberId::from_uuid);
                let cause = Cause::from_columns(&kind, key, member).ok_or_else(|| broken("actor_kind"))?;
                group.actor = Some(cause);
                actor_key(cause, selection.account_id)
            }
            UsageGrouping::Hour | UsageGrouping::Day | UsageGrouping::Week | UsageGrouping::Month => {
                period_key(*part, &group)
            }
        });
    }
    group.totals = sums(fields, selection.scope)?;
    group.key = keys.join("/");
    Ok(group)
}

/// Returns the groups of a selection without a period, in the order of their keys, after the group with these columns: one more than `limit`.
pub(in crate::domain::ledger::credit_log) async fn by_columns(
    source: &impl Source,
    selection: &Selection,
    grouping: &Grouping,
    after: Option<Vec<Value>>,
    limit: u32,
) -> Result<Vec<UsageGroup>, Fault> {
    let mut select = Select::of(source, selection.account_id, "");
    let (computed, names) = columns(grouping, &mut select);
    let (computed, names) = (computed.join(", "), names.join(", "));
    select.push(&format!(
        "SELECT {names}, {SUMS} FROM (SELECT {computed}, amount FROM credit_entry WHERE account_id = $1"
    ));
    selection.and_range(&mut select);
    select.push(") AS listed");
    if let Some(values) = after {
        let places = select.placeholders(values);
        select.push(&format!(" WHERE ({names}) > ({places})"));
    }
    select.push(&format!(" GROUP BY {names} ORDER BY {names} LIMIT "));
    select.bind(i64::from(limit) + 1);
    let rows = select.all(source).await?;
    rows.iter()
        .map(|row| group(grouping, &mut Fields::of(row), None, selection))
        .collect()
}

/// Returns for each instant the first sequence at or after it; the largest number where there is none.
pub(in crate::domain::ledger::credit_log) async fn first_sequences(
    source: &impl Source,
    account_id: AccountId,
    instants: &[Timestamp],
) -> Result<Vec<i64>, Fault> {
    let mut select = Select::of(
        source,
        account_id,
        "SELECT r.place, (SELECT sequence FROM credit_entry WHERE account_id = $1 AND occurred_at >= r.instant \
         ORDER BY occurred_at, sequence LIMIT 1) AS sequence FROM ",
    );
    let instants = (0_i64..).zip(instants);
    let rows = Rows::of(instants.map(|(place, instant)| Instant {
        place,
        instant: *instant,
    }));
    select.relation(&rows).push(" ORDER BY r.place");
    let firsts: Vec<(i64, Option<i64>)> = select.values(source).await?;
    Ok(firsts.into_iter().map(|(_, first)| first.unwrap_or(i64::MAX)).collect())
}

/// Returns the groups of the spans, newest span first, at most `room`. In the period of `within`, only groups after its
/// columns.
pub(in crate::domain::ledger::credit_log) async fn summed(
    source: &impl Source,
    rest: &Selection,
    grouping: &Grouping,
    spans: &[Span],
    within: Option<&(Period, Vec<Value>)>,
    room: usize,
) -> Result<Vec<UsageGroup>, Fault> {
    if let [part] = grouping.parts[..]
        && rest.is_range()
    {
        return periods(source, rest, part, spans, room).await;
    }
    let numbered = (0_i64..).zip(spans).filter(|(_, span)| span.low <= span.high);
    let rows = Rows::of(numbered.map(|(place, span)| Sequences {
        place,
        low: span.low,
        high: span.high,
    }));
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut select = Select::of(source, rest.account_id, "");
    let (computed, names) = columns(grouping, &mut select);
    let list = |first: &str, others: &[String]| -> String {
        others.iter().fold(first.to_owned(), |list, other| list + ", " + other)
    };
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let grouped = list("place", &names);
    select.push(&format!(
        "SELECT {grouped}, {} FROM (SELECT {}, amount FROM ",
        SUMS,
        list("r.place", &computed)
    ));
    // CROSS JOIN keeps SQLite from scanning the log once for each period.
    select
        .relation(&rows)
        .push(" CROSS JOIN credit_entry WHERE account_id = $1 AND sequence >= r.low AND sequence <= r.high");
    rest.and_all(&mut select);
    select.push(") AS listed");
    let place = |start| (0_i64..).zip(spans).find(|(_, span)| span.period.start == start);
    if let Some((period, values)) = within
        && let Some((place, _)) = place(period.start)
    {
        let place = select.placeholder(place);
        let places = select.placeholders(values.clone());
        let names = names.join(", ");
        select.push(&format!(" WHERE (place <> {place} OR ({names}) > ({places}))"));
    }
    select.push(&format!(" GROUP BY {grouped} ORDER BY {grouped} LIMIT "));
    select.bind(i64::try_from(room).unwrap_or(i64::MAX));
    let mut groups = Vec::new();
    for row in select.all(source).await? {
        let mut fields = Fields::of(&row);
        let place: i64 = fields.next()?;
        let span = usize::try_from(place).ok().and_then(|place| spans.get(place));
        groups.push(group(grouping, &mut fields, span.map(|span| &span.period), rest)?);
    }
    Ok(groups)
}

/// Sets the balance at the end of each group's period.
pub(in crate::domain::ledger::credit_log) async fn close(
    source: &impl Source,
    selection: &Selection,
    groups: &mut [UsageGroup],
) -> Result<(), Fault> {
    let ends = (0_i64..).zip(groups.iter()).filter_map(|(place, group)| {
        let instant = group.period_end?;
        Some(Instant { place, instant })
    });
    let ends = Rows::of(ends);
    if ends.is_empty() {
        return Ok(());
    }
    let mut select = Select::of(
        source,
        selection.account_id,
        "SELECT r.place, (SELECT balance_after FROM credit_entry WHERE account_id = $1 AND occurred_at < r.instant \
         AND sequence <= ",
    );
    select
        .bind(selection.end)
        .push(" ORDER BY occurred_at DESC, sequence DESC LIMIT 1) AS balance FROM ");
    select.relation(&ends);
    for (place, balance) in select.values::<(i64, Option<Credits>)>(source).await? {
        if let Some(group) = usize::try_from(place).ok().and_then(|place| groups.get_mut(place)) {
            group.closing_balance = balance;
        }
    }
    Ok(())
}
