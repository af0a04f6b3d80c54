//! Pages, sums and files of the credit log.

use std::collections::HashSet;

use chrono::NaiveDate;
use futures_util::{StreamExt, TryStreamExt};
use ledgerbell::domain::fault::QueryError;
use ledgerbell::domain::filter::{AnyOf, InstantRange};
use ledgerbell::domain::ledger::credit_log::search::Search;
use ledgerbell::domain::ledger::credit_log::{
    ActorKind, ActorRef, AmountRange, CreditLog, CreditLogFilter, CreditTotals, DateRange, Direction, Entry, ExportRow,
    UsageScope,
};
use ledgerbell::domain::ledger::model::EntryKind;
use ledgerbell::primitives::actor::{AccessError, Actor, MemberRole, Permission, Permissions, Side};
use ledgerbell::primitives::clock::Timestamp;
use ledgerbell::primitives::credits::Credits;
use ledgerbell::primitives::ids::{AccountId, ApiKeyId, EntryId, MemberId, SessionId, TopUpId};
use ledgerbell::primitives::page::{PageRequest, SortOrder};

use super::ground::Ground;
use super::pages;
use super::rows::{
    KEYS, LogRow, MEMBERS, SESSIONS, SessionRow, TOP_UPS, entry_id, id, insert_account, insert_log, insert_sessions,
    log_row, log_rows, session_rows,
};
use crate::harness::Dice;

pub(crate) const ACCOUNT: AccountId = AccountId::from_number(7);
pub(crate) const START: i64 = 1_772_000_000_000;

/// A condition of a filter.
pub(crate) fn any_of<T: Ord>(values: impl IntoIterator<Item = T>) -> AnyOf<T> {
    AnyOf::new("filter", Some(values.into_iter().collect())).expect("few values")
}

pub(crate) fn instants(from: Option<Timestamp>, before: Option<Timestamp>) -> InstantRange {
    InstantRange::new("filter.occurredAt", from, before).expect("valid")
}

pub(crate) fn words(text: &str) -> Search {
    Search::parse("filter.search", Some(text)).expect("valid")
}

pub(crate) fn member(number: usize) -> MemberId {
    MemberId::from_uuid(id(MEMBERS, number))
}

pub(crate) fn plain_member(number: usize) -> Actor {
    Actor::Member {
        account_id: ACCOUNT,
        member_id: member(number),
        role: MemberRole::Member,
    }
}

/// Returns a random filter; `log` supplies existing times and amounts.
pub(crate) fn random_filter(dice: &mut Dice, log: &[LogRow]) -> CreditLogFilter {
    let instant = |dice: &mut Dice| Timestamp::from_millis(log[dice.below(log.len())].occurred_at);
    let mut filter = CreditLogFilter::default();
    if dice.chance(15) {
        filter.actor_kinds = any_of(dice.some(ActorKind::ALL, 3));
    }
    if dice.chance(20) {
        let members = dice.some(&[0, 1, 2, 3, 90], 3).into_iter();
        let keys = dice.some(&[0, 1, 90], 2).into_iter();
        let mut actors: Vec<ActorRef> = members.map(|number| ActorRef::Member(member(number))).collect();
        let keys = keys.map(|number| ActorRef::ApiKey(ApiKeyId::from_uuid(id(KEYS, number))));
        match dice.below(3) {
            0 => {}
            1 => actors.extend(keys),
            _ => actors = keys.collect(),
        }
        filter.actors = any_of(actors);
    }
    if dice.chance(25) {
        filter.kinds = any_of(dice.some(EntryKind::ALL, 3));
    }
    if dice.chance(20) {
        filter.direction = Some(dice.pick(Direction::ALL));
    }
    if dice.chance(25) {
        filter.member_ids = any_of(dice.some(&[0, 1, 2, 3, 4, 5, 90], 5).into_iter().map(member));
    }
    if dice.chance(10) {
        let sessions = (0..100).map(|_| SessionId::from_uuid(id(SESSIONS, dice.below(450))));
        filter.session_ids = any_of(sessions);
    }
    if dice.chance(10) {
        let top_ups = (0..60).map(|_| TopUpId::from_uuid(id(TOP_UPS, dice.below(350))));
        filter.top_up_ids = any_of(top_ups);
    }
    if dice.chance(25) {
        let (one, other) = (instant(dice), instant(dice));
        filter.occurred_at = instants(
            dice.chance(80).then_some(one.min(other)),
            dice.chance(80).then_some(one.max(other)),
        );
    }
    if dice.chance(15) {
        let (one, other) = (
            instant(dice).to_datetime().date_naive(),
            instant(dice).to_datetime().date_naive(),
        );
        let days = (
            dice.chance(80).then_some(one.min(other)),
            dice.chance(80).then_some(one.max(other)),
        );
        let timezone = dice.chance(50).then_some(chrono_tz::America::New_York);
        filter.dates = DateRange::new("filter.dates", days, timezone).expect("valid");
    }
    if dice.chance(20) {
        let (one, other) = (dice.number(100_000), dice.number(100_000));
        let min = dice.chance(70).then_some(Credits::from_units(one.min(other)));
        let max = dice.chance(70).then_some(Credits::from_units(one.max(other)));
        filter.amount = AmountRange::new("filter.amount", min, max).expect("valid");
    }
    if dice.chance(25) {
        let words = [
            "yoga", "ÄRZ", "öl-mas", "übung", "COACH", "se", "50", "under_sc", "co-op", "nothing",
        ];
        filter.search = self::words(&dice.some(&words, 2).join("  "));
    }
    if dice.chance(3) {
        filter.member_ids = [].into();
    }
    filter
}

/// Implements the meaning of the filter in a second way.
pub(crate) fn matches(filter: &CreditLogFilter, row: &LogRow) -> bool {
    fn within<T: Ord>(list: &AnyOf<T>, holds: impl Fn(&T) -> bool) -> bool {
        list.values().is_none_or(|list| list.iter().any(holds))
    }
    let has_words = |text: &str, search: &[String]| {
        let split = |text: &str| -> Vec<String> {
            let lower = text.to_lowercase();
            lower
                .split(|c: char| !c.is_alphanumeric())
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let words = split(text);
        search.iter().all(|asked| {
            let asked = split(asked);
            words.windows(asked.len()).any(|words| {
                let last = asked.len() - 1;
                words[..last] == asked[..last] && words[last].starts_with(&asked[last])
            })
        })
    };
    let local_day = |zone: chrono_tz::Tz| -> NaiveDate {
        Timestamp::from_millis(row.occurred_at)
            .to_datetime()
            .with_timezone(&zone)
            .date_naive()
    };
    let day = local_day(filter.dates.timezone().unwrap_or(chrono_tz::Europe::Berlin));
    let (from, to) = filter.dates.days();
    within(&filter.actor_kinds, |kind| kind.as_str() == row.actor_kind)
        && within(&filter.actors, |actor| match actor {
            ActorRef::Member(id) => row.actor_member == Some(id.uuid()),
            ActorRef::ApiKey(id) => row.actor_key == Some(id.uuid()),
        })
        && within(&filter.kinds, |kind| *kind == row.kind)
        && within(&filter.member_ids, |id| row.member == Some(id.uuid()))
        && within(&filter.session_ids, |id| row.session == Some(id.uuid()))
        && within(&filter.top_up_ids, |id| row.top_up == Some(id.uuid()))
        && filter
            .direction
            .is_none_or(|direction| (direction == Direction::Added) == (row.amount > 0))
        && is_within(filter.occurred_at, row.occurred_at)
        && from.is_none_or(|from| day >= from)
        && to.is_none_or(|to| day <= to)
        && filter.amount.min().is_none_or(|min| row.amount.abs() >= min.units())
        && filter.amount.max().is_none_or(|max| row.amount.abs() <= max.units())
        && has_words(&row.description, filter.search.words())
}

pub(crate) fn is_within(range: InstantRange, millis: i64) -> bool {
    range.start().is_none_or(|from| millis >= from.millis())
        && range.end().is_none_or(|before| millis < before.millis())
}

/// Reads all pages in one direction; returns all entries in the order of the list.
pub(crate) async fn walk(
    log: &CreditLog,
    actor: &Actor,
    filter: &CreditLogFilter,
    order: SortOrder,
    backward: bool,
    limit: u32,
) -> Vec<Entry> {
    pages::walk(backward, limit, async |request| {
        log.page(actor, ACCOUNT, filter, order, request).await
    })
    .await
}

fn sequences(entries: &[Entry]) -> Vec<i64> {
    entries.iter().map(|entry| entry.sequence).collect()
}

pub(crate) fn naive_totals(rows: &[&LogRow], scope: UsageScope) -> CreditTotals {
    let sum = |sign: i64| rows.iter().map(|row| (row.amount * sign).max(0)).sum();
    CreditTotals {
        scope,
        count: i64::try_from(rows.len()).expect("fits"),
        added: Credits::from_units(sum(1)),
        deducted: Credits::from_units(sum(-1)),
    }
}

/// The names of an exported entry's session.
type SessionNames = Option<(String, Option<String>)>;

/// Returns sessions with the first of those ids that entries have.
fn named_sessions(dice: &mut Dice) -> Vec<SessionRow> {
    let mut sessions = session_rows(dice, 300);
    for (number, session) in sessions.iter_mut().enumerate() {
        session.id = id(SESSIONS, number);
    }
    sessions
}

fn names_of(row: &LogRow, sessions: &[SessionRow]) -> (i64, SessionNames) {
    let session = sessions.iter().find(|session| Some(session.id) == row.session);
    let names = session.map(|session| (session.title.clone(), session.external_id.clone()));
    (row.sequence, names)
}

/// Returns the numbers of all exported entries, with the names of their sessions.
async fn exported_names(log: &CreditLog, actor: &Actor, filter: &CreditLogFilter) -> Vec<(i64, SessionNames)> {
    let chunks = log.export(actor, ACCOUNT, filter).await.expect("exports");
    let chunks: Vec<Vec<ExportRow>> = chunks.try_collect().await.expect("chunks");
    let names = chunks.into_iter().flatten().map(|row| {
        let names = row.session_title.map(|title| (title, row.session_external_id));
        (row.entry.sequence, names)
    });
    names.collect()
}

#[tokio::test]
async fn every_walk_gives_what_a_naive_filter_gives() {
    let mut dice = Dice::new(1);
    let rows = log_rows(&mut dice, 12_500, START);
    let others = log_rows(&mut dice, 200, START);
    let (sessions, sessions_of_others) = (named_sessions(&mut dice), named_sessions(&mut dice));
    for ground in Ground::each().await {
        insert_account(&ground, ACCOUNT, "Europe/Berlin").await;
        insert_log(&ground, ACCOUNT, &rows).await;
        insert_log(&ground, AccountId::from_number(8), &others).await;
        insert_sessions(&ground, ACCOUNT, &sessions).await;
        insert_sessions(&ground, AccountId::from_number(8), &sessions_of_others).await;
        ground.execute_text("ANALYZE").await;
        let log = CreditLog::new(ground.database.clone());
        let mut dice = Dice::new(2);
        for _ in 0..25 {
            let filter = random_filter(&mut dice, &rows);
            let actor = if dice.chance(20) {
                plain_member(3)
            } else {
                Actor::System
            };
            let own = actor.member_id().map(MemberId::uuid);
            let mut expected: Vec<&LogRow> = rows
                .iter()
                .filter(|row| matches(&filter, row) && (own.is_none() || row.member == own))
                .collect();
            let scope = if own.is_some() {
                UsageScope::Member
            } else {
                UsageScope::Account
            };
            let totals = log.totals(&actor, ACCOUNT, &filter).await.expect("totals");
            assert_eq!(totals, naive_totals(&expected, scope), "{} {filter:?}", ground.name());
            let names = exported_names(&log, &actor, &filter).await;
            let expected_names: Vec<_> = expected.iter().map(|row| names_of(row, &sessions)).collect();
            assert_eq!(names, expected_names, "{} {filter:?}", ground.name());
            let (order, backward) = (
                dice.pick(&[SortOrder::NewestFirst, SortOrder::OldestFirst]),
                dice.chance(50),
            );
            for (order, backward) in [(SortOrder::NewestFirst, false), (order, backward)] {
                if order == SortOrder::NewestFirst {
                    expected.sort_by_key(|row| -row.sequence);
                } else {
                    expected.sort_by_key(|row| row.sequence);
                }
                let limit = if expected.len() > 500 {
                    100
                } else {
                    1 + u32::try_from(dice.below(60)).expect("small")
                };
                let walked = walk(&log, &actor, &filter, order, backward, limit).await;
                let expected: Vec<i64> = expected.iter().map(|row| row.sequence).collect();
                assert_eq!(
                    sequences(&walked),
                    expected,
                    "{} {order:?} backward {backward} by {limit}: {filter:?}",
                    ground.name()
                );
            }
        }
    }
}

#[tokio::test]
async fn f64_equal_times_and_new_entries_between_pages_repeat_and_lose_nothing() {
    for ground in Ground::each().await {
        insert_account(&ground, ACCOUNT, "UTC").await;
        let mut dice = Dice::new(3);
        let mut rows = log_rows(&mut dice, 1_000, START);
        for row in &mut rows {
            row.occurred_at = START;
        }
        insert_log(&ground, ACCOUNT, &rows).await;
        let log = CreditLog::new(ground.database.clone());
        let filter = CreditLogFilter {
            occurred_at: instants(Some(Timestamp::from_millis(START)), None),
            ..CreditLogFilter::default()
        };
        for (order, added) in [(SortOrder::NewestFirst, 0), (SortOrder::OldestFirst, 20)] {
            let before = rows.len();
            let mut request = PageRequest::forward(50, None);
            let mut seen = Vec::new();
            loop {
                let page = log
                    .page(&Actor::System, ACCOUNT, &filter, order, &request)
                    .await
                    .expect("a page");
                seen.extend(page.items.iter().map(|(sequence, _)| *sequence));
                if !page.has_next {
                    break;
                }
                request.after = seen.last().copied();
                if rows.len() < before + 20 {
                    let new = log_row(&mut dice, i64::try_from(rows.len()).expect("fits") + 1, START, (0, 0));
                    insert_log(&ground, ACCOUNT, std::slice::from_ref(&new)).await;
                    rows.push(new);
                }
            }
            let distinct: HashSet<i64> = seen.iter().copied().collect();
            assert_eq!(distinct.len(), seen.len(), "nothing twice");
            assert_eq!(seen.len(), before + added, "{} {order:?}", ground.name());
        }
    }
}

#[tokio::test]
async fn a_page_takes_a_fixed_number_of_statements() {
    for ground in Ground::each().await {
        insert_account(&ground, ACCOUNT, "UTC").await;
        insert_log(&ground, ACCOUNT, &log_rows(&mut Dice::new(4), 500, START)).await;
        let log = CreditLog::new(ground.database.clone());
        let kinds = any_of(EntryKind::ALL.iter().copied());
        let plain = CreditLogFilter {
            kinds: kinds.clone(),
            ..CreditLogFilter::default()
        };
        let tested = CreditLogFilter {
            kinds,
            direction: Some(Direction::Added),
            occurred_at: instants(Some(Timestamp::from_millis(START)), None),
            ..CreditLogFilter::default()
        };
        for (filter, statements) in [(CreditLogFilter::default(), 1), (plain, 1), (tested, 3)] {
            for after in [None, Some(400), Some(30)] {
                ground.take_asked();
                let request = PageRequest::forward(10, after);
                log.page(&Actor::System, ACCOUNT, &filter, SortOrder::NewestFirst, &request)
                    .await
                    .expect("a page");
                assert_eq!(ground.take_asked().len(), statements, "{} {filter:?}", ground.name());
            }
        }
    }
}

#[tokio::test]
async fn members_see_their_own_entries_and_strangers_see_no_account() {
    let ground = Ground::sqlite().await;
    let rows = log_rows(&mut Dice::new(5), 300, START);
    insert_log(&ground, ACCOUNT, &rows).await;
    let log = CreditLog::new(ground.database.clone());
    let filter = CreditLogFilter::default();
    let own = walk(&log, &plain_member(2), &filter, SortOrder::NewestFirst, false, 50).await;
    assert!(!own.is_empty() && own.iter().all(|entry| entry.member_id == Some(member(2))));
    let others = CreditLogFilter {
        member_ids: [member(1)].into(),
        ..CreditLogFilter::default()
    };
    assert_eq!(
        walk(&log, &plain_member(2), &others, SortOrder::NewestFirst, false, 50).await,
        []
    );

    let of_another = rows.iter().find(|row| row.member == Some(id(MEMBERS, 1))).expect("one");
    let ids = [EntryId::from_uuid(entry_id(of_another.sequence))];
    let found = log.entries_by_id(&plain_member(2), ACCOUNT, &ids).await.expect("reads");
    assert!(found.is_empty());
    assert_eq!(
        log.entries_by_id(&plain_member(1), ACCOUNT, &ids)
            .await
            .expect("reads")
            .len(),
        1
    );
    let draws = log.draws_of(&plain_member(1), ACCOUNT, &ids).await;
    assert_eq!(
        draws.err(),
        Some(QueryError::Access(AccessError::Forbidden(Permission::ReadCreditLog)))
    );

    let stranger = Actor::Member {
        account_id: AccountId::from_number(8),
        member_id: member(2),
        role: MemberRole::Owner,
    };
    let refused = log.totals(&stranger, ACCOUNT, &filter).await;
    assert_eq!(refused.err(), Some(QueryError::Access(AccessError::NotFound)));
    let key = Actor::ApiKey {
        account_id: ACCOUNT,
        api_key_id: ApiKeyId::from_uuid(id(KEYS, 1)),
        side: Side::Platform,
        permissions: [Permission::BookSessions, Permission::ReadOwnUsage]
            .into_iter()
            .collect::<Permissions>(),
    };
    let refused = log.totals(&key, ACCOUNT, &filter).await;
    assert_eq!(
        refused.err(),
        Some(QueryError::Access(AccessError::Forbidden(Permission::ReadCreditLog)))
    );
}

#[tokio::test]
async fn entries_are_found_by_what_they_name() {
    for ground in Ground::each().await {
        let rows = log_rows(&mut Dice::new(6), 2_000, START);
        insert_log(&ground, ACCOUNT, &rows).await;
        let log = CreditLog::new(ground.database.clone());
        let sessions: Vec<SessionId> = (0..30)
            .map(|number| SessionId::from_uuid(id(SESSIONS, number)))
            .collect();
        let found = log
            .entries_of_sessions(&Actor::System, ACCOUNT, &sessions)
            .await
            .expect("reads");
        let expected: usize = rows
            .iter()
            .filter(|row| sessions.iter().any(|id| row.session == Some(id.uuid())))
            .count();
        assert_eq!(found.values().map(|named| named.entries.len()).sum::<usize>(), expected);
        assert!(
            found
                .values()
                .all(|named| named.entries.is_sorted_by_key(|entry| entry.sequence))
        );
        let top_up = rows.iter().find_map(|row| row.top_up).expect("one");
        let found = log
            .entries_of_top_ups(&Actor::System, ACCOUNT, &[TopUpId::from_uuid(top_up)])
            .await
            .expect("reads");
        assert_eq!(found.len(), 1);
        let ids = [EntryId::from_uuid(entry_id(5)), EntryId::from_uuid(entry_id(5_000))];
        let found = log.entries_by_id(&Actor::System, ACCOUNT, &ids).await.expect("reads");
        assert_eq!(found.keys().collect::<Vec<_>>(), [&ids[0]]);
        assert_eq!(found[&ids[0]].sequence, 5);
        assert_eq!(found[&ids[0]].balance_before().units(), rows[3].balance_after);
        let none = log.reversals_of(&Actor::System, ACCOUNT, &ids).await.expect("reads");
        assert!(none.is_empty());
        assert!(
            log.draws_of(&Actor::System, ACCOUNT, &ids)
                .await
                .expect("reads")
                .is_empty()
        );
    }
}

#[tokio::test]
async fn an_export_ends_with_the_last_entry_before_it_began() {
    let ground = Ground::sqlite().await;
    let mut dice = Dice::new(7);
    insert_log(&ground, ACCOUNT, &log_rows(&mut dice, 2_500, START)).await;
    let log = CreditLog::new(ground.database.clone());
    let stream = log
        .export(&Actor::System, ACCOUNT, &CreditLogFilter::default())
        .await
        .expect("exports");
    let mut stream = std::pin::pin!(stream);
    let mut sizes = Vec::new();
    while let Some(chunk) = stream.next().await {
        sizes.push(chunk.expect("a chunk").len());
        let next = 2_500 + i64::try_from(sizes.len()).expect("fits");
        insert_log(&ground, ACCOUNT, &[log_row(&mut dice, next, i64::MAX / 4, (0, 0))]).await;
    }
    assert_eq!(sizes, [1_000, 1_000, 500]);
}
