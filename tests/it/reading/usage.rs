//! Sums of the log by groups.

use std::collections::{HashMap, HashSet};

use chrono_tz::Tz;
use ledgerbell::domain::fault::QueryError;
use ledgerbell::domain::ledger::credit_log::{CreditLog, CreditLogFilter, UsageGroup, UsageGrouping, UsageScope};
use ledgerbell::primitives::actor::Actor;
use ledgerbell::primitives::clock::Timestamp;
use ledgerbell::primitives::credits::Credits;
use ledgerbell::primitives::page::PageRequest;

use super::ground::Ground;
use super::log::{ACCOUNT, START, naive_totals, plain_member, random_filter};
use super::rows::{LogRow, insert_account, insert_log, log_rows};
use crate::harness::Dice;

async fn all_groups(
    log: &CreditLog,
    actor: &Actor,
    filter: &CreditLogFilter,
    group_by: &[UsageGrouping],
    zone: Option<Tz>,
    limit: u32,
) -> Vec<UsageGroup> {
    let mut request = PageRequest::forward(limit, None);
    let mut groups = Vec::new();
    loop {
        let page = log
            .usage(actor, ACCOUNT, filter, group_by, zone, &request)
            .await
            .expect("a page");
        assert!(page.items.len() <= limit as usize);
        request.after = page.scanned_to.or(page.items.last().map(|(key, _)| key.clone()));
        groups.extend(page.items.into_iter().map(|(_, group)| group));
        if !page.has_next {
            return groups;
        }
    }
}

#[tokio::test]
async fn the_sum_of_all_groups_is_the_total() {
    let rows = log_rows(&mut Dice::new(11), 3_000, START);
    for ground in Ground::each().await {
        insert_account(&ground, ACCOUNT, "Europe/Berlin").await;
        insert_log(&ground, ACCOUNT, &rows).await;
        ground.execute_text("ANALYZE").await;
        let log = CreditLog::new(ground.database.clone());
        let mut dice = Dice::new(12);
        for _ in 0..60 {
            let filter = if dice.chance(50) {
                random_filter(&mut dice, &rows)
            } else {
                CreditLogFilter::default()
            };
            let mut group_by = dice.some(&[UsageGrouping::Member, UsageGrouping::Kind, UsageGrouping::Actor], 2);
            if dice.chance(70) {
                let period = dice.pick(&[
                    UsageGrouping::Hour,
                    UsageGrouping::Day,
                    UsageGrouping::Week,
                    UsageGrouping::Month,
                ]);
                if dice.chance(50) {
                    group_by.clear();
                }
                group_by.insert(dice.below(group_by.len() + 1), period);
            }
            let actor = if dice.chance(20) {
                plain_member(3)
            } else {
                Actor::System
            };
            let zone = dice.chance(50).then_some(chrono_tz::Australia::Lord_Howe);
            let limit = dice.pick(&[1, 7, 100]);
            let groups = all_groups(
                &log,
                &actor,
                &filter,
                &group_by,
                zone,
                limit.max(u32::try_from(dice.below(30)).expect("small")),
            )
            .await;
            let totals = log.totals(&actor, ACCOUNT, &filter).await.expect("totals");
            let context = format!("{} {group_by:?} {zone:?} by {limit}: {filter:?}", ground.name());
            let keys: HashSet<&str> = groups.iter().map(|group| group.key.as_str()).collect();
            assert_eq!(keys.len(), groups.len(), "no group twice: {context}");
            assert_eq!(
                groups.iter().map(|group| group.totals.count).sum::<i64>(),
                totals.count,
                "{context}"
            );
            assert_eq!(
                groups.iter().map(|group| group.totals.added).sum::<Credits>(),
                totals.added,
                "{context}"
            );
            assert_eq!(
                groups.iter().map(|group| group.totals.deducted).sum::<Credits>(),
                totals.deducted,
                "{context}"
            );
            assert!(groups.iter().all(|group| group.totals.count > 0), "{context}");
            assert!(
                groups.is_sorted_by(|one, other| one.period_start >= other.period_start),
                "{context}"
            );
        }
    }
}

#[tokio::test]
async fn f47_days_are_counted_in_the_zone_and_close_with_their_balance() {
    // Some weeks around the change of clocks in New York on 8 March 2026.
    let rows = log_rows(&mut Dice::new(13), 1_500, START);
    let zone = chrono_tz::America::New_York;
    let mut by_day: HashMap<chrono::NaiveDate, Vec<&LogRow>> = HashMap::new();
    for row in &rows {
        let day = Timestamp::from_millis(row.occurred_at)
            .to_datetime()
            .with_timezone(&zone)
            .date_naive();
        by_day.entry(day).or_default().push(row);
    }
    assert!(by_day.contains_key(&chrono::NaiveDate::from_ymd_opt(2026, 3, 8).expect("a day")));
    for ground in Ground::each().await {
        insert_account(&ground, ACCOUNT, "America/New_York").await;
        insert_log(&ground, ACCOUNT, &rows).await;
        let log = CreditLog::new(ground.database.clone());
        let filter = CreditLogFilter::default();
        let groups = all_groups(&log, &Actor::System, &filter, &[UsageGrouping::Day], None, 4).await;
        assert_eq!(groups.len(), by_day.len());
        for group in groups {
            let day = group.date.expect("a day");
            assert_eq!(group.key, day.to_string());
            let rows = &by_day[&day];
            assert_eq!(group.totals, naive_totals(rows, UsageScope::Account));
            let last = rows.last().expect("one");
            assert_eq!(group.closing_balance.expect("known").units(), last.balance_after);
            let length = group.period_end.expect("ends").millis() - group.period_start.expect("starts").millis();
            let hours = if day.to_string() == "2026-03-08" { 23 } else { 24 };
            assert_eq!(length, hours * 3_600_000, "{day}");
        }
        // A member's own entries have no closing balance. Nor do the groups of a filter, except a filter for the whole account.
        let own = all_groups(&log, &plain_member(3), &filter, &[UsageGrouping::Day], None, 50).await;
        assert!(own.iter().all(|group| group.closing_balance.is_none()));
    }
}

#[tokio::test]
async fn long_silences_cost_a_page_no_more_than_a_few_rounds() {
    let mut rows = log_rows(&mut Dice::new(14), 60, 0);
    for (row, at) in rows.iter_mut().zip(0..) {
        // Two entries a year.
        row.occurred_at = at / 2 * 365 * 86_400_000 + at % 2;
    }
    for ground in Ground::each().await {
        insert_account(&ground, ACCOUNT, "UTC").await;
        insert_log(&ground, ACCOUNT, &rows).await;
        let log = CreditLog::new(ground.database.clone());
        ground.take_asked();
        let request = PageRequest::forward(5, None);
        log.usage(
            &Actor::System,
            ACCOUNT,
            &CreditLogFilter::default(),
            &[UsageGrouping::Hour],
            None,
            &request,
        )
        .await
        .expect("a page");
        assert!(ground.take_asked().len() <= 15, "{}", ground.name());
        let filter = CreditLogFilter::default();
        let groups = all_groups(&log, &Actor::System, &filter, &[UsageGrouping::Hour], None, 5).await;
        assert_eq!(groups.len(), 30);
    }
}

#[tokio::test]
async fn keys_that_are_none_of_the_list_are_refused() {
    let ground = Ground::sqlite().await;
    insert_account(&ground, ACCOUNT, "UTC").await;
    let log = CreditLog::new(ground.database.clone());
    for key in ["", "nonsense", "GRANT/GRANT", "#x", "2026-02-30"] {
        let request = PageRequest::forward(5, Some(key.to_owned()));
        for grouping in [
            UsageGrouping::Kind,
            UsageGrouping::Day,
            UsageGrouping::Member,
            UsageGrouping::Hour,
            UsageGrouping::Actor,
        ] {
            let refused = log
                .usage(
                    &Actor::System,
                    ACCOUNT,
                    &CreditLogFilter::default(),
                    &[grouping],
                    None,
                    &request,
                )
                .await;
            assert!(
                matches!(&refused, Err(QueryError::Invalid(invalid)) if invalid.field == "after"),
                "{key} {grouping:?} {refused:?}"
            );
        }
    }
}
