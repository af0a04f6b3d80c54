//! The rate at which credits are used, when they are used up, and what a rule would have done.

use proptest::prelude::*;

use super::burn::{Burn, falls_to};
use super::replay::{BalanceChange, Replay, Replayed, RuleTerms};
use super::{InvalidTrial, TrialSettings};
use crate::ledger::{Lot, LotKind};
use crate::primitives::credits::Credits;
use crate::primitives::ids::{EntryId, LotId};
use crate::primitives::money::CreditPrice;
use crate::primitives::timestamp::{DAY, HOUR, Timestamp};
use crate::top_up::AccountTerms;

/// 15 February 2026, noon in UTC.
const NOW: Timestamp = Timestamp::from_millis(1_771_156_800_000);

fn whole(credits: i64) -> Credits {
    Credits::whole(credits)
}

fn terms() -> AccountTerms {
    AccountTerms {
        credit_price: CreditPrice::from_millionths(1_000_000),
        currency: "EUR".parse().expect("a currency"),
        timezone: chrono_tz::Tz::UTC,
    }
}

fn trial(trigger: i64, amount: i64, cap: Option<i64>) -> TrialSettings {
    TrialSettings {
        trigger: whole(trigger),
        amount: whole(amount),
        monthly_cap: cap.map(Into::into),
        keeps_manual: true,
    }
}

fn rule(trigger: i64, amount: i64, cap: Option<i64>) -> RuleTerms {
    RuleTerms::check(&trial(trigger, amount, cap), terms(), 50).expect("valid settings")
}

/// Changes of whole credits, each some hours after the one before.
fn play(rule: RuleTerms, opening: i64, changes: &[(i64, i64)]) -> Replayed {
    let mut replay = Replay::new(rule, whole(opening));
    replay.look(NOW);
    let mut at = NOW;
    for (hours, change) in changes {
        at = at.plus_millis(hours * HOUR);
        let change = whole(*change);
        replay.play(BalanceChange {
            at,
            low: change,
            change,
            is_paid: false,
        });
    }
    replay.finish(at)
}

fn bought(replayed: &Replayed) -> Vec<i64> {
    let units = |top_up: &super::SimulatedTopUp| top_up.credits.units() / Credits::UNITS;
    replayed.top_ups.iter().map(units).collect()
}

fn lot(number: u128, credits: i64, days: Option<i64>) -> Lot {
    Lot {
        id: LotId::from_uuid(uuid::Uuid::from_u128(number)),
        kind: LotKind::Paid,
        granted: whole(credits),
        remaining: whole(credits),
        priority: 0,
        expires_at: days.map(|days| NOW.plus_millis(days * DAY)),
        created_at: NOW,
        entry_id: EntryId::from_uuid(uuid::Uuid::from_u128(number)),
    }
}

#[test]
fn recent_use_weighs_more_and_a_steady_use_is_the_rate_from_the_first_hours_on() {
    let at = |hour: i64| Burn::of(&[(hour, whole(28))], 28 * DAY).per_day;
    assert!(at(0) > at(1) && at(27 * 24) < at(24), "the older, the less");
    assert_eq!(
        Burn::of(&[(28 * 24, whole(406))], 40 * DAY).per_day,
        Credits::ZERO,
        "too long ago"
    );
    assert_eq!(
        Burn::of(&[(3, whole(-5))], 28 * DAY).per_day,
        Credits::ZERO,
        "given back"
    );
    let steady = |hours: i64| -> Vec<_> { (0..hours).map(|hour| (hour, whole(2))).collect() };
    for hours in [6, 7, 23, 24, 25, 49, 24 * 28, 24 * 40] {
        assert_eq!(Burn::of(&steady(hours), hours * HOUR).per_day, whole(48), "{hours}");
    }
    assert_eq!(Burn::of(&steady(5), 5 * HOUR), Burn::NOTHING, "too short for a rate");
    assert_eq!(Burn::of(&steady(25), 25 * HOUR).based_on_days, 2);
    assert_eq!(
        Burn::of(&steady(24), 24 * HOUR).per_month(),
        Credits::from_units(14_610_000),
        "30.4375 days"
    );
}

#[test]
fn credits_are_gone_when_they_are_used_or_out_of_time() {
    let gone = |lots: Vec<Lot>, held: i64, per_day: i64| {
        let sum: Credits = lots.iter().map(|lot| lot.remaining).sum();
        let available = Credits::from_units(sum.units() - whole(held).units());
        let at = falls_to(Credits::ZERO, lots, whole(held), available, whole(per_day), NOW)?;
        Some((at.millis() - NOW.millis()) / DAY)
    };
    assert_eq!(gone(vec![lot(1, 100, None)], 0, 10), Some(10));
    assert_eq!(
        gone(vec![lot(1, 100, None)], 40, 10),
        Some(6),
        "what is held is spoken for"
    );
    assert_eq!(gone(vec![lot(1, 100, None)], 0, 0), None);
    assert_eq!(gone(vec![lot(1, 100, None)], 100, 10), Some(0));
    // 20 of the lot that expires are used in time; 80 are lost.
    assert_eq!(gone(vec![lot(1, 100, Some(2)), lot(2, 50, None)], 0, 10), Some(7));
    assert_eq!(gone(vec![lot(1, 100, Some(2))], 0, 0), Some(2), "unused all the same");
    // What expired before is kept for the hold, which then takes nothing else.
    assert_eq!(gone(vec![lot(1, 40, Some(-1)), lot(2, 50, None)], 40, 10), Some(5));
}

#[test]
fn the_rule_decides_as_it_does_in_earnest() {
    // 100 − 145 = −45: a gap of 65 to the trigger takes five times 15.
    let replayed = play(rule(20, 15, None), 100, &[(1, -145), (1, -1)]);
    assert_eq!(bought(&replayed), [75]);
    assert_eq!((replayed.lowest, replayed.times_below_zero), (whole(-45), 1));
    assert_eq!(replayed.closing, whole(29));
    assert_eq!(replayed.cost.minor, 7_500);
    let capped = play(rule(20, 15, Some(40)), 100, &[(1, -145), (1, -1)]);
    assert_eq!(bought(&capped), [30], "what the cap leaves room for");
    assert!(capped.top_ups[0].is_capped && capped.months[0].is_capped);
}

#[test]
fn what_the_cap_kept_back_is_bought_when_the_next_month_begins() {
    // 13 and a half days to the end of the month, without other changes.
    let replayed = play(rule(0, 10, Some(10)), 5, &[(1, -5), (1, -10), (20 * 24, 0)]);
    let months: Vec<_> = replayed
        .months
        .iter()
        .map(|month| (month.month.as_str(), month.charges, month.is_capped))
        .collect();
    assert_eq!(months, [("2026-02", 1, true), ("2026-03", 1, false)]);
    let second = replayed.top_ups[1].at;
    assert_eq!(second.to_string(), "2026-03-01T00:00:00.000Z");
}

#[test]
fn the_ceilings_of_a_day_hold_and_what_they_kept_back_comes_later() {
    // 400 are missing; the rule buys at most 20 amounts of 10 in a day.
    let replayed = play(rule(0, 10, None), 10, &[(1, -410), (24 * 3, 0)]);
    assert_eq!(bought(&replayed), [200, 200, 10]);
    let days: Vec<i64> = replayed
        .top_ups
        .windows(2)
        .map(|pair| (pair[1].at.millis() - pair[0].at.millis()) / DAY)
        .collect();
    assert_eq!(days, [1, 1]);
}

#[test]
fn the_rule_waits_a_little_after_a_top_up_by_hand() {
    let mut replay = Replay::new(rule(20, 10, None), whole(30));
    let by = |millis: i64, change: i64, is_paid| BalanceChange {
        at: NOW.plus_millis(millis),
        low: whole(change),
        change: whole(change),
        is_paid,
    };
    replay.play(by(0, -25, true));
    replay.play(by(1_000, -1, false));
    let replayed = replay.finish(NOW.plus_millis(HOUR));
    assert_eq!(replayed.top_ups[0].at, NOW.plus_millis(30_000));
    assert_eq!(bought(&replayed), [20]);
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    let refused = |trial: TrialSettings| match RuleTerms::check(&trial, terms(), 50) {
        Err(InvalidTrial { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(trial(-1, 10, None)), "trigger");
    assert_eq!(refused(trial(0, 0, None)), "amount");
    assert_eq!(refused(trial(0, 10, Some(-1))), "monthlyCap");
    let cents = TrialSettings {
        amount: Credits::from_units(4_900),
        ..trial(0, 1, None)
    };
    assert_eq!(refused(cents), "amount", "less than the gateway charges");
    let odd = TrialSettings {
        monthly_cap: Some("0.001".parse().expect("a number")),
        ..trial(0, 10, None)
    };
    assert_eq!(refused(odd), "monthlyCap");
}

#[test]
fn the_next_top_up_is_foreseen() {
    let next = |cap: Option<i64>, available: i64, spent: i64| {
        let mut replay = Replay::new(rule(20, 10, cap), whole(available));
        replay.has_spent("2026-02".to_owned(), spent);
        replay.next_from(NOW.plus_millis(DAY))
    };
    assert_eq!(next(None, 100, 0), Some(NOW.plus_millis(DAY)));
    assert_eq!(next(None, 15, 0), Some(NOW.plus_millis(DAY)), "it is low already");
    let march = Timestamp::from_millis(1_772_323_200_000);
    assert_eq!(next(Some(30), 30, 3_000), Some(march), "the cap is used up");
    assert_eq!(next(Some(5), 30, 0), None, "no month has room");
    let falls = |lots: Vec<Lot>, per_day: i64| {
        let sum: Credits = lots.iter().map(|lot| lot.remaining).sum();
        falls_to(whole(20), lots, Credits::ZERO, sum, whole(per_day), NOW)
    };
    assert_eq!(falls(vec![lot(1, 100, None)], 10), Some(NOW.plus_millis(8 * DAY)));
    assert_eq!(falls(vec![lot(1, 100, None)], 0), None, "nothing is used");
    // Expiry takes it to the trigger long before use does.
    assert_eq!(
        falls(vec![lot(1, 90, Some(3)), lot(2, 15, None)], 1),
        Some(NOW.plus_millis(3 * DAY))
    );
}

fn changes() -> impl Strategy<Value = Vec<(i64, i64)>> {
    proptest::collection::vec((0..=60_i64, -30..=20_i64), 0..80)
}

proptest! {
    #[test]
    fn credits_that_run_out_of_time_never_last_longer(lots in proptest::collection::vec((1..50_i64, proptest::option::of(1..60_i64)), 1..8), per_day in 1..20_i64) {
        let made = |expire: bool| -> Vec<Lot> {
            let lots = (1_u128..).zip(&lots);
            lots.map(|(number, (credits, days))| lot(number, *credits, days.filter(|_| expire))).collect()
        };
        let sum: Credits = made(true).iter().map(|lot| lot.remaining).sum();
        let gone = |lots| falls_to(Credits::ZERO, lots, Credits::ZERO, sum, whole(per_day), NOW).expect("it is used");
        prop_assert!(NOW < gone(made(true)));
        prop_assert!(gone(made(true)) <= gone(made(false)));
    }

    #[test]
    fn without_a_cap_each_charge_ends_above_the_trigger(changes in changes(), trigger in 0..60_i64) {
        // One amount is more than all that is used, so no ceiling applies.
        let replayed = play(rule(trigger, 3_000, None), trigger, &changes);
        for top_up in &replayed.top_ups {
            prop_assert!(top_up.available <= whole(trigger));
            prop_assert!(top_up.available.units() + top_up.credits.units() > whole(trigger).units());
        }
        // A use of at most 30 at a time cannot go further below the trigger.
        prop_assert!(replayed.lowest >= whole(trigger - 30));
    }

    #[test]
    fn no_month_costs_more_than_the_cap(changes in changes(), trigger in 0..60_i64, amount in 1..40_i64, cap in 0..100_i64) {
        let replayed = play(rule(trigger, amount, Some(cap)), 10, &changes);
        for month in &replayed.months {
            prop_assert!(month.cost.minor <= cap * 100);
        }
        if cap < amount {
            prop_assert_eq!(replayed.top_ups.len(), 0, "a cap below one amount charges nothing");
        }
    }

    #[test]
    fn nothing_is_lost_or_made_up(changes in changes(), trigger in 0..60_i64, amount in 1..40_i64, cap in proptest::option::of(0..200_i64)) {
        let replayed = play(rule(trigger, amount, cap), 10, &changes);
        let changed: i64 = changes.iter().map(|(_, change)| change).sum();
        prop_assert_eq!(replayed.closing.units() - replayed.credits.units(), whole(10 + changed).units());
        prop_assert_eq!(replayed.cost.minor, replayed.months.iter().map(|month| month.cost.minor).sum::<i64>());
        prop_assert!(replayed.top_ups.windows(2).all(|pair| pair[0].at < pair[1].at));
    }

    #[test]
    fn a_higher_trigger_is_never_lower(changes in changes(), trigger in 0..60_i64, more in 0..30_i64) {
        let lowest = |trigger: i64| play(rule(trigger, 3_000, None), 100, &changes).lowest;
        prop_assert!(lowest(trigger) <= lowest(trigger + more));
    }
}
