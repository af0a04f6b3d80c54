//! Usage: the log summed up by shared properties of entries.
//!
//! Groups without a period are made by one `GROUP BY`, paged by keyset on the group's key. Periods are cut in Rust by calendar
//! arithmetic in the viewer's zone. A look-up at each boundary turns them into ranges of sequences, which are summed up batch by
//! batch, newest first. Stretches of time without matches are skipped by a search for the next matching entry. A page tries
//! [`ROUNDS`] times. After that it may be short.

use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::domain::database::select::{Source, Value};
use crate::domain::fault::{Fault, InvalidInput, QueryError};
use crate::domain::ledger::model::EntryKind;
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, ApiKeyId, GlobalId, IdKind, MemberId};
use crate::primitives::page::{Page, PageRequest, SortOrder};

use super::model::{UsageGroup, UsageGrouping, UsageScope};
use super::page_of;
use super::period::{Period, PeriodUnit, start_of_day};
use super::store::selection::Selection;
use super::store::usage as store;

/// Batches of periods that one page reads.
const ROUNDS: usize = 4;
/// Periods in a batch, at most.
const BATCH: usize = 100;
/// The groupings, without repeats.
#[derive(Debug)]
pub(super) struct Grouping {
    pub(super) parts: Vec<UsageGrouping>,
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
                return Err(InvalidInput::new("groupBy", "must name at most one of HOUR, DAY, WEEK, MONTH").into());
            }
        }
        if grouping.parts.is_empty() {
            return Err(InvalidInput::new("groupBy", "must name at least one grouping").into());
        }
        Ok(grouping)
    }

    /// Whether one of the groupings is a period.
    pub(super) const fn has_period(&self) -> bool {
        self.period.is_some()
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

/// Returns one page of groups, with periods of `zone`.
pub(super) async fn page(
    source: &impl Source,
    selection: &Selection,
    grouping: &Grouping,
    zone: Tz,
    request: &PageRequest<String>,
) -> Result<Page<UsageGroup, String>, QueryError> {
    if selection.matches_nothing() {
        return Ok(Page::from_scan(Vec::new(), request));
    }
    let (groups, scanned_to) = match grouping.period {
        Some(unit) => by_period(source, selection, grouping, (unit, zone), request).await?,
        None => (by_columns(source, selection, grouping, request).await?, None),
    };
    let items = groups.into_iter().map(|group| (group.key.clone(), group)).collect();
    let mut page = Page::from_scan(items, request);
    page.has_next |= scanned_to.is_some();
    page.scanned_to = scanned_to;
    Ok(page)
}

fn bad_cursor() -> QueryError {
    InvalidInput::new("after", "is not the key of a group of this list").into()
}

async fn by_columns(
    source: &impl Source,
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
    Ok(store::by_columns(source, selection, grouping, after, request.limit).await?)
}

/// Returns groups by period. If the page reached its bound of work, also returns the position at which to
/// continue.
async fn by_period(
    source: &impl Source,
    selection: &Selection,
    grouping: &Grouping,
    (unit, zone): (PeriodUnit, Tz),
    request: &PageRequest<String>,
) -> Result<(Vec<UsageGroup>, Option<String>), QueryError> {
    let mut rest = selection.clone();
    let within = resume(source, &mut rest, grouping, (unit, zone), request).await?;
    let limit = request.limit as usize;
    let mut groups = Vec::new();
    for round in 0..ROUNDS {
        // A short page needs few periods, unless most of them are empty.
        let count = if round == 0 { (limit + 1).min(BATCH) } else { BATCH };
        let Some(newest) = newest(source, &mut rest).await? else {
            if rest.matches_nothing() {
                break;
            }
            continue;
        };
        let spans = spans(source, &rest, (unit, zone), newest, count).await?;
        let room = (limit + 1).saturating_sub(groups.len());
        groups.extend(store::summed(source, &rest, grouping, &spans, within.as_ref(), room).await?);
        rest.to = spans.last().map_or(0, |span| span.low - 1);
        if groups.len() > limit || rest.matches_nothing() {
            break;
        }
    }
    let is_finished = groups.len() > limit || rest.matches_nothing();
    if grouping.parts.len() == 1 && selection.scope == UsageScope::Account {
        store::close(source, selection, &mut groups).await?;
    }
    Ok((groups, (!is_finished).then(|| format!("#{}", rest.to))))
}

/// Narrows `rest` to what follows a page's cursor. Returns the cursor's period and columns where the cursor is within a
/// period.
async fn resume(
    source: &impl Source,
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
    let first = store::first_sequences(source, rest.account_id, &[end]).await?;
    rest.to = rest.to.min(first[0].saturating_sub(1));
    Ok((!values.is_empty()).then_some((period, values)))
}

/// Returns when the newest entry of `rest` was posted. `None` where the search reached its bound or the end: `rest` is narrowed
/// to what was not scanned.
async fn newest(source: &impl Source, rest: &mut Selection) -> Result<Option<Timestamp>, Fault> {
    let request = PageRequest::forward(1, None);
    let page = page_of(source, rest, SortOrder::NewestFirst, &request).await?;
    if let Some((_, entry)) = page.items.first() {
        return Ok(Some(entry.occurred_at));
    }
    rest.to = page.scanned_to.map_or(0, |sequence| sequence - 1);
    Ok(None)
}

/// A period and the sequences within it.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) period: Period,
    pub(super) low: i64,
    pub(super) high: i64,
}

/// Returns the period that contains `newest` and the periods before it, with their sequences as far as they
/// belong to `rest`.
async fn spans(
    source: &impl Source,
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
    let firsts = store::first_sequences(source, rest.account_id, &boundaries).await?;
    let spans = periods.into_iter().zip(firsts.windows(2)).map(|(period, firsts)| Span {
        period,
        low: firsts[1].max(rest.from),
        high: firsts[0].saturating_sub(1).min(rest.to),
    });
    Ok(spans.collect())
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

pub(super) fn member_key(id: MemberId, account_id: AccountId) -> String {
    id.global(account_id).to_string()
}

pub(super) fn actor_key(cause: Cause, account_id: AccountId) -> String {
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
