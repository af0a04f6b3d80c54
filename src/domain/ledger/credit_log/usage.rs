//! Usage: the log summed up by shared properties of entries.
//!
//! Groups without a period are made by one `GROUP BY`, paged by keyset on the group's key. Periods are cut in Rust by calendar
//! arithmetic in the viewer's zone. A look-up at each boundary turns them into ranges of sequences, which are summed up batch by
//! batch, newest first. Stretches of time without matches are skipped by a search for the next matching entry. A page tries
//! [`ROUNDS`] times. After that it may be short.

use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::database::select::{Row, Select, Value};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::model::EntryKind;
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, ApiKeyId, GlobalId, IdKind, MemberId};
use crate::primitives::page::{Page, PageRequest, SortOrder};

use super::model::{UsageGroup, UsageGrouping, UsageScope};
use super::period::{Period, PeriodUnit, start_of_day};
use super::selection::{Selection, account_zone};
use super::{CreditLog, invalid, store};

/// Batches of periods that one page reads.
const ROUNDS: usize = 4;
/// Periods in a batch, at most.
const BATCH: usize = 100;
/// Instants as parameters of a statement.
const INSTANTS: Columns = &[("place", Kind::BigInt), ("instant", Kind::BigInt)];
/// Periods as parameters of a statement.
const SPANS: Columns = &[("place", Kind::BigInt), ("low", Kind::BigInt), ("high", Kind::BigInt)];

/// The groupings, without repeats.
#[derive(Debug)]
pub(super) struct Grouping {
    parts: Vec<UsageGrouping>,
    period: Option<PeriodUnit>,
}

impl Grouping {
    pub(super) fn new(group_by: &[UsageGrouping]) -> Result<Self, QueryError> {
        let mut grouping = Self {
            parts: Vec::new(),
            period: None,
        };
        for part in group_by {
            if grouping.parts.contains(part) {
                continue;
            }
            grouping.parts.push(*part);
            if let Some(unit) = unit(*part)
                && grouping.period.replace(unit).is_some()
            {
                return Err(invalid("groupBy", "must name at most one of HOUR, DAY, WEEK, MONTH"));
            }
        }
        if grouping.parts.is_empty() {
            return Err(invalid("groupBy", "must name at least one grouping"));
        }
        Ok(grouping)
    }

    /// Returns the groups' columns, each as the expression over an entry and the name by which it is compared. Texts compare
    /// by their bytes and missing ids as nil, so that both databases order groups alike.
    fn columns(&self, select: &mut Select) -> (Vec<String>, Vec<&'static str>) {
        let nobody = select.place(Uuid::nil());
        let text = |column: &str, name: &str| format!("{column} COLLATE {} AS {name}", select.byte_collation());
        let id = |column: &str, name: &str| format!("COALESCE({column}, {nobody}) AS {name}");
        let (mut computed, mut names) = (Vec::new(), Vec::new());
        for part in &self.parts {
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

    /// Reads a group from its row; `period` is the one that contains it.
    fn group(&self, row: &Row, period: Option<&Period>, selection: &Selection) -> Result<UsageGroup, Fault> {
        let id = |name: &str| -> Result<Option<Uuid>, Fault> {
            Ok(Some(row.try_get::<Uuid>("", name)?).filter(|id| !id.is_nil()))
        };
        let mut group = UsageGroup {
            key: String::new(),
            member_id: None,
            kind: None,
            actor: None,
            date: period.map(|period| period.date),
            period_start: period.map(|period| period.start),
            period_end: period.map(|period| period.end),
            totals: store::sums(row, selection.scope)?,
            closing_balance: None,
        };
        let mut keys = Vec::new();
        for part in &self.parts {
            keys.push(match part {
                UsageGrouping::Member => {
                    group.member_id = id("group_member")?.map(MemberId::from_uuid);
                    group
                        .member_id
                        .map_or_else(|| "-".to_owned(), |id| member_key(id, selection.account_id))
                }
                UsageGrouping::Kind => {
                    let kind: String = row.try_get("", "group_kind")?;
                    group.kind = EntryKind::from_text(&kind);
                    kind
                }
                UsageGrouping::Actor => {
                    let kind: String = row.try_get("", "group_actor")?;
                    let key = id("group_actor_key")?.map(ApiKeyId::from_uuid);
                    let member = id("group_actor_member")?.map(MemberId::from_uuid);
                    let cause = Cause::from_columns(&kind, key, member).ok_or_else(|| store::broken("actor_kind"))?;
                    group.actor = Some(cause);
                    actor_key(cause, selection.account_id)
                }
                UsageGrouping::Hour => group.period_start.map(|start| start.to_string()).unwrap_or_default(),
                UsageGrouping::Day | UsageGrouping::Week | UsageGrouping::Month => {
                    group.date.map(|date| date.to_string()).unwrap_or_default()
                }
            });
        }
        group.key = keys.join("/");
        Ok(group)
    }

    /// Parses a position from a group's key: the start of its period, and the values of its columns.
    fn parse(&self, key: &str, zone: Tz, account_id: AccountId) -> Option<(Option<Timestamp>, Vec<Value>)> {
        let texts: Vec<&str> = key.split('/').collect();
        if texts.len() != self.parts.len() {
            return None;
        }
        let (mut start, mut values) = (None, Vec::new());
        for (part, text) in self.parts.iter().zip(texts) {
            match part {
                UsageGrouping::Member if text == "-" => values.push(Uuid::nil().into()),
                UsageGrouping::Member => values.push(parse_member(text, account_id)?.into()),
                UsageGrouping::Kind => values.push(EntryKind::from_text(text)?.as_str().into()),
                UsageGrouping::Actor => values.extend(parse_actor(text, account_id)?),
                UsageGrouping::Hour => {
                    let instant = DateTime::parse_from_rfc3339(text).ok()?;
                    start = Some(
                        Timestamp::from_datetime(instant.to_utc())
                            .max(Timestamp::MIN)
                            .min(Timestamp::MAX),
                    );
                }
                UsageGrouping::Day | UsageGrouping::Week | UsageGrouping::Month => {
                    start = Some(start_of_day(zone, text.parse::<NaiveDate>().ok()?));
                }
            }
        }
        Some((start, values))
    }
}

/// Returns one page of groups.
pub(super) async fn page(
    log: &CreditLog,
    selection: &Selection,
    grouping: &Grouping,
    timezone: Option<Tz>,
    request: &PageRequest<String>,
) -> Result<Page<UsageGroup, String>, QueryError> {
    if request.backward || request.before.is_some() {
        return Err(invalid("last", "groups are paged forward only"));
    }
    if selection.matches_nothing() {
        return Ok(Page::from_scan(Vec::new(), request));
    }
    let zone = match (timezone, grouping.period) {
        (Some(zone), _) => zone,
        (None, None) => Tz::UTC,
        (None, Some(_)) => account_zone(&log.database, selection.account_id).await?,
    };
    let (groups, scanned_to) = match grouping.period {
        Some(unit) => by_period(log, selection, grouping, (unit, zone), request).await?,
        None => (by_columns(log, selection, grouping, request).await?, None),
    };
    let items = groups.into_iter().map(|group| (group.key.clone(), group)).collect();
    let mut page = Page::from_scan(items, request);
    page.has_next |= scanned_to.is_some();
    page.scanned_to = scanned_to;
    Ok(page)
}

fn bad_cursor() -> QueryError {
    invalid("after", "is not the key of a group of this list")
}

async fn by_columns(
    log: &CreditLog,
    selection: &Selection,
    grouping: &Grouping,
    request: &PageRequest<String>,
) -> Result<Vec<UsageGroup>, QueryError> {
    let after = match &request.after {
        Some(key) => {
            let (_, values) = grouping
                .parse(key, Tz::UTC, selection.account_id)
                .ok_or_else(bad_cursor)?;
            Some(values)
        }
        None => None,
    };
    let mut select = Select::of(&log.database, selection.account_id, "");
    let (computed, names) = grouping.columns(&mut select);
    let (computed, names) = (computed.join(", "), names.join(", "));
    select.push(&format!(
        "SELECT {names}, {} FROM (SELECT {computed}, amount FROM credit_entry WHERE account_id = $1",
        store::SUMS
    ));
    selection.and_range(&mut select);
    select.push(") AS listed");
    if let Some(values) = after {
        let places = select.places(values);
        select.push(&format!(" WHERE ({names}) > ({places})"));
    }
    select.push(&format!(" GROUP BY {names} ORDER BY {names} LIMIT "));
    select.bind(i64::from(request.limit) + 1);
    let rows = select.all(&log.database).await?;
    Ok(rows
        .iter()
        .map(|row| grouping.group(row, None, selection))
        .collect::<Result<_, _>>()?)
}

/// Returns groups by period. If the page reached its bound of work, also returns the position at which to
/// continue.
async fn by_period(
    log: &CreditLog,
    selection: &Selection,
    grouping: &Grouping,
    (unit, zone): (PeriodUnit, Tz),
    request: &PageRequest<String>,
) -> Result<(Vec<UsageGroup>, Option<String>), QueryError> {
    let mut rest = selection.clone();
    let within = resume(log, &mut rest, grouping, (unit, zone), request).await?;
    let limit = request.limit as usize;
    let mut groups = Vec::new();
    for round in 0..ROUNDS {
        // A short page needs few periods, unless most of them are empty.
        let count = if round == 0 { (limit + 1).min(BATCH) } else { BATCH };
        let Some(newest) = newest(log, &mut rest).await? else {
            if rest.matches_nothing() {
                break;
            }
            continue;
        };
        let spans = spans(log, &rest, (unit, zone), newest, count).await?;
        let room = (limit + 1).saturating_sub(groups.len());
        groups.extend(summed(log, &rest, grouping, &spans, within.as_ref(), room).await?);
        rest.to = spans.last().map_or(0, |span| span.low - 1);
        if groups.len() > limit || rest.matches_nothing() {
            break;
        }
    }
    let is_finished = groups.len() > limit || rest.matches_nothing();
    if grouping.parts.len() == 1 && selection.scope == UsageScope::Account {
        close(log, selection.account_id, &mut groups).await?;
    }
    Ok((groups, (!is_finished).then(|| format!("#{}", rest.to))))
}

/// Narrows `rest` to what follows a page's cursor. Returns the cursor's period and columns where the cursor is within a
/// period.
async fn resume(
    log: &CreditLog,
    rest: &mut Selection,
    grouping: &Grouping,
    (unit, zone): (PeriodUnit, Tz),
    request: &PageRequest<String>,
) -> Result<Option<(Period, Vec<Value>)>, QueryError> {
    let Some(key) = &request.after else { return Ok(None) };
    if let Some(sequence) = key.strip_prefix('#') {
        rest.to = rest.to.min(sequence.parse().map_err(|_| bad_cursor())?);
        return Ok(None);
    }
    let Some((Some(start), values)) = grouping.parse(key, zone, rest.account_id) else {
        return Err(bad_cursor());
    };
    let period = unit.around(zone, start);
    let end = if values.is_empty() { period.start } else { period.end };
    let first = first_sequences(log, rest.account_id, &[end]).await?;
    rest.to = rest.to.min(first[0].saturating_sub(1));
    Ok((!values.is_empty()).then_some((period, values)))
}

/// Returns when the newest entry of `rest` was posted. `None` where the search reached its bound or the end: `rest` is narrowed
/// to what was not scanned.
async fn newest(log: &CreditLog, rest: &mut Selection) -> Result<Option<Timestamp>, Fault> {
    if rest.matches_nothing() {
        return Ok(None);
    }
    let request = PageRequest {
        limit: 1,
        backward: false,
        after: None,
        before: None,
    };
    let page = log.page_of(rest, SortOrder::NewestFirst, &request).await?;
    if let Some((_, entry)) = page.items.first() {
        return Ok(Some(entry.occurred_at));
    }
    rest.to = page.scanned_to.map_or(0, |sequence| sequence - 1);
    Ok(None)
}

/// A period and the sequences within it.
#[derive(Debug)]
struct Span {
    period: Period,
    low: i64,
    high: i64,
}

/// Returns the period that contains `newest` and the periods before it, with their sequences as far as they
/// belong to `rest`.
async fn spans(
    log: &CreditLog,
    rest: &Selection,
    (unit, zone): (PeriodUnit, Tz),
    newest: Timestamp,
    count: usize,
) -> Result<Vec<Span>, Fault> {
    let mut periods = vec![unit.around(zone, newest)];
    while periods.len() < count {
        let Some(before) = periods.last().and_then(|period| unit.before(zone, period)) else {
            break;
        };
        periods.push(before);
    }
    let boundaries: Vec<Timestamp> = periods[..1]
        .iter()
        .map(|period| period.end)
        .chain(periods.iter().map(|period| period.start))
        .collect();
    let firsts = first_sequences(log, rest.account_id, &boundaries).await?;
    let spans = periods.into_iter().zip(firsts.windows(2)).map(|(period, firsts)| Span {
        period,
        low: firsts[1].max(rest.from),
        high: firsts[0].saturating_sub(1).min(rest.to),
    });
    Ok(spans.collect())
}

/// Returns for each instant the first sequence at or after it; the largest number where there is none.
async fn first_sequences(log: &CreditLog, account_id: AccountId, instants: &[Timestamp]) -> Result<Vec<i64>, Fault> {
    let mut select = Select::of(
        &log.database,
        account_id,
        "SELECT r.place, (SELECT sequence FROM credit_entry WHERE account_id = $1 AND occurred_at >= r.instant \
         ORDER BY occurred_at, sequence LIMIT 1) AS sequence FROM ",
    );
    let mut rows = Rows::new(INSTANTS);
    for (place, instant) in (0_i64..).zip(instants) {
        rows.push([place.into(), instant.millis().into()]);
    }
    select.relation(&rows).push(" ORDER BY r.place");
    let mut firsts = Vec::with_capacity(instants.len());
    for row in select.all(&log.database).await? {
        firsts.push(row.try_get::<Option<i64>>("", "sequence")?.unwrap_or(i64::MAX));
    }
    Ok(firsts)
}

/// Returns the groups of the spans, newest span first, at most `room`. In the period of `within`, only groups after its
/// columns.
async fn summed(
    log: &CreditLog,
    rest: &Selection,
    grouping: &Grouping,
    spans: &[Span],
    within: Option<&(Period, Vec<Value>)>,
    room: usize,
) -> Result<Vec<UsageGroup>, Fault> {
    let mut rows = Rows::new(SPANS);
    for (place, span) in (0_i64..).zip(spans).filter(|(_, span)| span.low <= span.high) {
        rows.push([place.into(), span.low.into(), span.high.into()]);
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut select = Select::of(&log.database, rest.account_id, "");
    let (computed, names) = grouping.columns(&mut select);
    let list = |first: &str, others: &[String]| -> String {
        others.iter().fold(first.to_owned(), |list, other| list + ", " + other)
    };
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let grouped = list("place", &names);
    select.push(&format!(
        "SELECT {grouped}, {} FROM (SELECT {}, amount FROM ",
        store::SUMS,
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
        let place = select.place(place);
        let places = select.places(values.clone());
        let names = names.join(", ");
        select.push(&format!(" WHERE (place <> {place} OR ({names}) > ({places}))"));
    }
    select.push(&format!(" GROUP BY {grouped} ORDER BY {grouped} LIMIT "));
    select.bind(i64::try_from(room).unwrap_or(i64::MAX));
    let mut groups = Vec::new();
    for row in select.all(&log.database).await? {
        let place: i64 = row.try_get("", "place")?;
        let span = usize::try_from(place).ok().and_then(|place| spans.get(place));
        groups.push(grouping.group(&row, span.map(|span| &span.period), rest)?);
    }
    Ok(groups)
}

/// Sets the balance at the end of each group's period.
async fn close(log: &CreditLog, account_id: AccountId, groups: &mut [UsageGroup]) -> Result<(), Fault> {
    let mut ends = Rows::new(INSTANTS);
    for (place, group) in (0_i64..).zip(groups.iter()) {
        if let Some(end) = group.period_end {
            ends.push([place.into(), end.millis().into()]);
        }
    }
    if ends.is_empty() {
        return Ok(());
    }
    let mut select = Select::of(
        &log.database,
        account_id,
        "SELECT r.place, (SELECT balance_after FROM credit_entry WHERE account_id = $1 AND occurred_at < r.instant \
         ORDER BY occurred_at DESC, sequence DESC LIMIT 1) AS balance FROM ",
    );
    select.relation(&ends);
    for row in select.all(&log.database).await? {
        let place: i64 = row.try_get("", "place")?;
        if let Some(group) = usize::try_from(place).ok().and_then(|place| groups.get_mut(place)) {
            group.closing_balance = row.try_get::<Option<i64>>("", "balance")?.map(Credits::from_units);
        }
    }
    Ok(())
}

fn unit(grouping: UsageGrouping) -> Option<PeriodUnit> {
    match grouping {
        UsageGrouping::Hour => Some(PeriodUnit::Hour),
        UsageGrouping::Day => Some(PeriodUnit::Day),
        UsageGrouping::Week => Some(PeriodUnit::Week),
        UsageGrouping::Month => Some(PeriodUnit::Month),
        UsageGrouping::Member | UsageGrouping::Kind | UsageGrouping::Actor => None,
    }
}

fn member_key(id: MemberId, account_id: AccountId) -> String {
    id.global(account_id).to_string()
}

fn actor_key(cause: Cause, account_id: AccountId) -> String {
    match cause {
        Cause::Member(id) => format!("MEMBER:{}", member_key(id, account_id)),
        Cause::ApiKey(key, None) => format!("API_KEY:{}", key.uuid().simple()),
        Cause::ApiKey(key, Some(id)) => format!("API_KEY:{}:{}", key.uuid().simple(), member_key(id, account_id)),
        Cause::System | Cause::PaymentGateway => cause.columns().0.to_owned(),
    }
}

fn parse_member(text: &str, account_id: AccountId) -> Option<Uuid> {
    let id: GlobalId = text.parse().ok()?;
    (id.kind == IdKind::Member && id.account_id == account_id).then_some(id.uuid)
}

fn parse_actor(text: &str, account_id: AccountId) -> Option<[Value; 3]> {
    let mut parts = text.split(':');
    let kind = parts.next()?;
    let key = if kind == "API_KEY" {
        Some(Uuid::try_parse(parts.next()?).ok()?)
    } else {
        None
    };
    let member = match parts.next() {
        Some(text) => Some(parse_member(text, account_id)?),
        None => None,
    };
    let cause = Cause::from_columns(kind, key.map(ApiKeyId::from_uuid), member.map(MemberId::from_uuid))?;
    Some([
        cause.columns().0.into(),
        key.unwrap_or_default().into(),
        member.unwrap_or_default().into(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_one_grouping_is_a_period() {
        assert!(Grouping::new(&[UsageGrouping::Day, UsageGrouping::Member, UsageGrouping::Day]).is_ok());
        assert!(Grouping::new(&[UsageGrouping::Day, UsageGrouping::Month]).is_err());
        assert!(Grouping::new(&[]).is_err());
    }

    #[test]
    fn actors_come_back_from_their_keys() {
        let account = AccountId::from_number(7);
        let (member, key) = (
            MemberId::from_uuid(Uuid::from_u128(1)),
            ApiKeyId::from_uuid(Uuid::from_u128(2)),
        );
        for cause in [
            Cause::Member(member),
            Cause::ApiKey(key, None),
            Cause::ApiKey(key, Some(member)),
            Cause::System,
            Cause::PaymentGateway,
        ] {
            let values = parse_actor(&actor_key(cause, account), account).expect("valid");
            assert_eq!(values[0], Value::from(cause.columns().0));
        }
        assert!(parse_actor("API_KEY", account).is_none());
        assert!(parse_actor(&actor_key(Cause::Member(member), account), AccountId::from_number(8)).is_none());
    }
}
