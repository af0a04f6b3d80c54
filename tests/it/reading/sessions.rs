//! Pages and single reads of sessions.

use std::collections::HashSet;

use ledgerbell::domain::ledger::sessions::{SessionFilter, SessionOrder, SessionView, Sessions, ShownStatus};
use ledgerbell::primitives::actor::Actor;
use ledgerbell::primitives::clock::Timestamp;
use ledgerbell::primitives::ids::{MemberId, SessionId};
use ledgerbell::primitives::page::SortOrder;
use uuid::Uuid;

use super::ground::Ground;
use super::log::{ACCOUNT, any_of, instants, is_within, member, plain_member, words};
use super::pages;
use super::rows::{SessionRow, insert_sessions, session_rows};
use crate::harness::Dice;

const NOW: Timestamp = Timestamp::from_millis(100_000);

fn shown(row: &SessionRow) -> ShownStatus {
    match row.status {
        "BOOKED" if row.ends_at <= NOW.millis() => ShownStatus::Processing,
        status => ShownStatus::from_text(status).expect("known"),
    }
}

fn random_filter(dice: &mut Dice) -> SessionFilter {
    let mut filter = SessionFilter::default();
    if dice.chance(40) {
        filter.statuses = any_of(dice.some(ShownStatus::ALL, 3));
    }
    if dice.chance(30) {
        filter.member_ids = any_of(dice.some(&[0, 1, 2, 90], 3).into_iter().map(member));
    }
    if dice.chance(30) {
        let (one, other) = (dice.number(200_000), dice.number(200_000));
        filter.starts_at = instants(
            dice.chance(70).then_some(Timestamp::from_millis(one.min(other))),
            dice.chance(70).then_some(Timestamp::from_millis(one.max(other))),
        );
    }
    if dice.chance(15) {
        filter.external_id = Some(format!("lesson-{}", dice.below(22)));
    }
    if dice.chance(25) {
        filter.search = words(dice.pick(&["yoga", "ärz", "lesson 12", "straße"]));
    }
    filter
}

fn matches(filter: &SessionFilter, row: &SessionRow) -> bool {
    filter.statuses.allows(&shown(row))
        && filter.member_ids.allows(&MemberId::from_uuid(row.member))
        && filter
            .external_id
            .as_ref()
            .is_none_or(|id| row.external_id.as_ref() == Some(id))
        && is_within(filter.starts_at, row.starts_at)
        && {
            let text = format!("{} {}", row.title, row.external_id.as_deref().unwrap_or_default());
            let text = text.to_lowercase().replace('ß', "ss");
            let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
            let mut asked = filter.search.words().iter();
            asked.all(|asked| words.iter().any(|word| word.starts_with(asked.trim())))
        }
}

async fn walk(
    sessions: &Sessions,
    actor: &Actor,
    filter: &SessionFilter,
    orders: (SessionOrder, SortOrder),
    backward: bool,
    limit: u32,
) -> Vec<SessionView> {
    pages::walk(backward, limit, async |request| {
        sessions.page(actor, ACCOUNT, filter, orders, request, NOW).await
    })
    .await
}

#[tokio::test]
async fn every_walk_gives_what_a_naive_filter_gives() {
    let rows = session_rows(&mut Dice::new(21), 3_000);
    for ground in Ground::each().await {
        insert_sessions(&ground, ACCOUNT, &rows).await;
        ground.execute_text("ANALYZE").await;
        let sessions = Sessions::new(ground.database.clone());
        let mut dice = Dice::new(22);
        for _ in 0..60 {
            let filter = random_filter(&mut dice);
            let actor = if dice.chance(20) {
                plain_member(3)
            } else {
                Actor::System
            };
            let own = actor.member_id().map(MemberId::uuid);
            let order_by = dice.pick(SessionOrder::ALL);
            let order = dice.pick(&[SortOrder::NewestFirst, SortOrder::OldestFirst]);
            let mut expected: Vec<(i64, Uuid)> = rows
                .iter()
                .filter(|row| matches(&filter, row) && own.is_none_or(|own| row.member == own))
                .map(|row| match order_by {
                    SessionOrder::BookedAt => (row.booked_at, row.id),
                    SessionOrder::StartsAt => (row.starts_at, row.id),
                })
                .collect();
            expected.sort_unstable();
            if order == SortOrder::NewestFirst {
                expected.reverse();
            }
            let limit = 5 + u32::try_from(dice.below(90)).expect("small");
            let backward = dice.chance(50);
            let walked = walk(&sessions, &actor, &filter, (order_by, order), backward, limit).await;
            let walked: Vec<Uuid> = walked.iter().map(|view| view.session.id.uuid()).collect();
            let expected: Vec<Uuid> = expected.into_iter().map(|(_, id)| id).collect();
            assert_eq!(
                walked,
                expected,
                "{} {order_by:?} {order:?} {backward} {filter:?}",
                ground.name()
            );
        }
    }
}

#[tokio::test]
async fn a_session_is_processing_from_its_end_on_and_says_until_when() {
    let rows = session_rows(&mut Dice::new(23), 600);
    for ground in Ground::each().await {
        insert_sessions(&ground, ACCOUNT, &rows).await;
        let sessions = Sessions::new(ground.database.clone());
        let ids: Vec<SessionId> = rows.iter().map(|row| SessionId::from_uuid(row.id)).collect();
        let found = sessions
            .by_ids(&Actor::System, ACCOUNT, &ids, NOW)
            .await
            .expect("reads");
        assert_eq!(found.len(), rows.len());
        let mut statuses = HashSet::new();
        for row in &rows {
            let view = &found[&SessionId::from_uuid(row.id)];
            assert_eq!(view.status, shown(row));
            statuses.insert(view.status);
            // All charged sessions took a minute.
            let expected =
                (view.status == ShownStatus::Processing).then(|| Timestamp::from_millis(row.ends_at + 60_000));
            assert_eq!(view.deduction_expected_by, expected);
        }
        assert_eq!(statuses.len(), ShownStatus::ALL.len());
        let own = sessions
            .by_ids(&plain_member(3), ACCOUNT, &ids, NOW)
            .await
            .expect("reads");
        assert!(!own.is_empty() && own.values().all(|view| view.session.member_id == member(3)));
    }
}

#[tokio::test]
async fn an_external_id_means_the_open_session_else_the_newest() {
    let mut rows = session_rows(&mut Dice::new(24), 6);
    for (row, (external_id, status, booked_at)) in rows.iter_mut().zip([
        ("one", "COMPLETED", 5_000),
        ("one", "BOOKED", 1_000),
        ("one", "CANCELED", 9_000),
        ("two", "COMPLETED", 5_000),
        ("two", "CANCELED", 6_000),
        ("\"th{r},ee\\", "COMPLETED", 1_000),
    ]) {
        row.external_id = Some(external_id.to_owned());
        row.status = status;
        row.booked_at = booked_at;
    }
    for ground in Ground::each().await {
        insert_sessions(&ground, ACCOUNT, &rows).await;
        let sessions = Sessions::new(ground.database.clone());
        let asked = ["one", "two", "\"th{r},ee\\", "four"].map(str::to_owned);
        let found = sessions
            .newest_by_external_ids(&Actor::System, ACCOUNT, &asked, NOW)
            .await
            .expect("reads");
        assert_eq!(found.len(), 3);
        for (external_id, row) in [("one", &rows[1]), ("two", &rows[4]), ("\"th{r},ee\\", &rows[5])] {
            assert_eq!(found[external_id].session.id.uuid(), row.id, "{external_id}");
        }
    }
}
