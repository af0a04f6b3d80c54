//! Tests the rules of purchases and of auto top-ups, by examples and by random histories.

use proptest::prelude::*;
use uuid::Uuid;

use super::gateway::{Charge, ChargeFailure, ChargeStatus, DisputeStatus};
use super::*;
use crate::ledger::AccountStatus;
use crate::primitives::actor::Cause;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, PaymentMethodId, TopUpAttemptId, TopUpId};
use crate::primitives::money::{CreditPrice, Currency, Money};
use crate::primitives::timestamp::{HOUR, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const ACCOUNT: AccountId = AccountId::from_number(1);

fn euro() -> Currency {
    "EUR".parse().expect("a currency")
}

fn card(number: u128) -> PaymentMethod {
    PaymentMethod {
        id: PaymentMethodId::from_uuid(Uuid::from_u128(number)),
        account_id: ACCOUNT,
        gateway_card_id: format!("pm_{number}"),
        brand: "visa".to_owned(),
        last4: "4242".to_owned(),
        expiry_month: 12,
        expiry_year: 2_039,
        fingerprint: format!("fp_{number}"),
        suspension: None,
        is_default: true,
        added_at: NOW,
        last_declined_at: None,
        removed_at: None,
    }
}

fn attempt(card: &PaymentMethod, number: u128, automatic: bool) -> NewPurchase<'_> {
    NewPurchase {
        attempt_id: TopUpAttemptId::from_uuid(Uuid::from_u128(number)),
        card,
        month: automatic.then(|| "2026-09".to_owned()),
        actor: Cause::System,
    }
}

fn purchase(automatic: bool) -> Purchase {
    let price = Money {
        minor: 1_000,
        currency: euro(),
    };
    let origin = if automatic {
        TopUpOrigin::Auto
    } else {
        TopUpOrigin::Manual
    };
    let ids = (ACCOUNT, TopUpId::from_uuid(Uuid::from_u128(9)));
    let top_up = TopUp::new(ids, origin, (Credits::whole(10), price), Cause::System, NOW);
    Purchase::new(top_up, attempt(&card(1), 1, automatic))
}

fn facts(card: &PaymentMethod) -> RetryFacts<'_> {
    RetryFacts {
        status: AccountStatus::Active,
        card: Some(card),
        recent_declines: 0,
        open_automatic: None,
    }
}

fn charge(status: ChargeStatus, failure: Option<&str>) -> Charge {
    Charge {
        id: "pi_1".to_owned(),
        reference: None,
        status,
        amount_minor: 1_000,
        failure: failure.map(|mark| ChargeFailure {
            code: FailureCode::CardDeclined,
            mark: mark.to_owned(),
        }),
        action_url: None,
        returned_minor: 0,
        came_back_minor: 0,
        refunds: Vec::new(),
        dispute: None,
        created_at: NOW,
    }
}

/// Returns a purchase whose first attempt was sent.
fn sent(automatic: bool) -> Purchase {
    let mut purchase = purchase(automatic);
    assert_eq!(purchase.claim(AccountStatus::Active, NOW), Some(GatewayRequest::Create));
    purchase.created(purchase.attempts[0].id, "pi_1", NOW);
    assert_eq!(
        purchase.claim(AccountStatus::Active, NOW),
        Some(GatewayRequest::Confirm)
    );
    purchase
}

#[test]
fn f09_a_stale_failure_of_one_attempt_cannot_touch_the_next() {
    let mut purchase = sent(false);
    let first = charge(ChargeStatus::Unconfirmed, Some("ch_1"));
    assert_eq!(purchase.settle(&first, NOW).len(), 1);
    assert_eq!(purchase.top_up.status, TopUpStatus::Failed);
    let card = card(1);
    purchase
        .retry(&facts(&card), attempt(&card, 2, false), NOW)
        .expect("failed ones can be retried");
    for _ in 0..3 {
        // Before and after its own charge was sent.
        assert_eq!(purchase.settle(&first, NOW), []);
        assert!(purchase.attempts[1].is_open());
        let later = NOW.plus_millis(120_000);
        purchase.claim(AccountStatus::Active, later);
    }
    let paid = purchase.settle(&charge(ChargeStatus::Succeeded, None), NOW);
    assert_eq!(paid, [Change::Paid(Some(purchase.attempts[1].id))]);
    assert_eq!(purchase.settle(&first, NOW), []);
    assert_eq!(purchase.top_up.status, TopUpStatus::Succeeded);
}

#[test]
fn f09_a_success_that_is_heard_of_late_counts_in_every_status() {
    let ways: [fn(&mut Purchase); 4] = [
        |purchase| {
            purchase.settle(&charge(ChargeStatus::Unconfirmed, Some("ch_1")), NOW);
        },
        |purchase| {
            purchase.settle(&charge(ChargeStatus::Unconfirmed, Some("ch_1")), NOW);
            purchase.cancel(NOW).expect("failed ones can be canceled");
        },
        |purchase| {
            purchase.settle(&charge(ChargeStatus::RequiresAction, None), NOW);
        },
        |purchase| purchase.unanswered(purchase.attempts[0].id, NOW),
    ];
    for way in ways {
        let mut purchase = sent(true);
        way(&mut purchase);
        let changes = purchase.settle(&charge(ChargeStatus::Succeeded, None), NOW);
        assert!(matches!(changes[..], [Change::Paid(Some(_))]), "{changes:?}");
        assert_eq!(purchase.attempts[0].outcome, AttemptOutcome::Succeeded);
        assert_eq!(purchase.top_up.next_attempt_at, None);
    }
}

#[test]
fn f15_a_silent_gateway_fails_nothing_but_what_it_has_canceled() {
    let mut purchase = sent(false);
    let id = purchase.attempts[0].id;
    let mut now = NOW;
    for _ in 0..400 {
        now = now.plus_millis(600_000);
        purchase.claim(AccountStatus::Active, now);
        purchase.unanswered(id, now);
        assert_eq!(purchase.attempts[0].outcome, AttemptOutcome::Unknown);
    }
    assert!(
        purchase.escalate(now) && !purchase.escalate(now),
        "an operator is told, once"
    );
    // The gateway responds again and knows no charge. It is too late to send it, so the object is canceled first.
    purchase.settle(&charge(ChargeStatus::Unconfirmed, None), now);
    assert_eq!(purchase.top_up.status, TopUpStatus::Processing);
    assert_eq!(purchase.claim(AccountStatus::Active, now), Some(GatewayRequest::Cancel));
    purchase.settle(&charge(ChargeStatus::Canceled, None), now);
    assert_eq!(purchase.top_up.failure_code, Some(FailureCode::GatewayUnavailable));
    assert_eq!(
        (purchase.top_up.object_id.clone(), purchase.top_up.object_number),
        (None, 1)
    );
}

#[test]
fn an_automatic_top_up_is_tried_three_times_after_soft_declines_and_once_after_hard_ones() {
    let mut purchase = sent(true);
    let mut now = NOW;
    for (number, pause) in [(2, Some(HOUR)), (3, Some(6 * HOUR)), (4, None)] {
        let mark = format!("ch_{number}");
        purchase.settle(&charge(ChargeStatus::Unconfirmed, Some(&mark)), now);
        assert_eq!(
            purchase.top_up.next_attempt_at,
            pause.map(|pause| now.plus_millis(pause))
        );
        let Some(next) = purchase.top_up.next_attempt_at else {
            break;
        };
        now = next;
        purchase.try_again(attempt(&card(1), number, true), now);
        assert_eq!(
            purchase.claim(AccountStatus::Active, now),
            Some(GatewayRequest::Confirm)
        );
    }
    let mut hard = sent(true);
    let mut expired = charge(ChargeStatus::Unconfirmed, Some("ch_1"));
    expired.failure = Some(ChargeFailure {
        code: FailureCode::CardExpired,
        mark: "ch_1".to_owned(),
    });
    hard.settle(&expired, NOW);
    assert_eq!(hard.top_up.next_attempt_at, None);
}

#[test]
fn a_frozen_account_starts_no_automatic_attempt_and_a_closed_one_none() {
    for (status, automatic, starts) in [
        (AccountStatus::Active, true, true),
        (AccountStatus::Frozen, true, false),
        (AccountStatus::Frozen, false, true),
        (AccountStatus::Closed, false, false),
    ] {
        let mut purchase = purchase(automatic);
        assert_eq!(purchase.claim(status, NOW).is_some(), starts, "{status:?} {automatic}");
        assert_eq!(purchase.top_up.status == TopUpStatus::Canceled, !starts);
    }
}

#[test]
fn a_card_holds_until_its_month_is_over_everywhere() {
    let card = PaymentMethod {
        expiry_month: 2,
        expiry_year: 2_028,
        ..card(1)
    };
    let at = |text: &str| Timestamp::from_datetime(text.parse().expect("an instant"));
    for (text, status) in [
        ("2028-01-01T00:00:00Z", PaymentMethodStatus::Active),
        ("2028-02-29T23:59:59Z", PaymentMethodStatus::Expiring),
        ("2028-03-01T11:59:59Z", PaymentMethodStatus::Expiring),
        ("2028-03-01T12:00:00Z", PaymentMethodStatus::Expired),
    ] {
        assert_eq!(card.status(at(text)), status, "{text}");
    }
}

fn rule(trigger: i64, amount: i64, cap_minor: Option<i64>) -> AutoTopUp {
    let patch = AutoTopUpPatch {
        enabled: Some(true),
        trigger: Some(Credits::from_units(trigger)),
        amount: Some(Credits::from_units(amount)),
        monthly_cap_minor: Some(cap_minor),
        consent: true,
        expected_version: None,
    };
    let card = card(1);
    AutoTopUp::new(ACCOUNT, NOW)
        .patched(&patch, patch_facts(&card), NOW)
        .expect("a sound rule")
}

fn patch_facts(card: &PaymentMethod) -> PatchFacts<'_> {
    PatchFacts {
        card: Some(card),
        credit_price: CreditPrice::from_millionths(1_000_000),
        currency: euro(),
        minimum_minor: 1,
        by: Cause::System,
    }
}

/// Returns the states of one charge over time: declined, paid, partly refunded by a refund that fails later and one that does
/// not, and disputed.
fn history() -> Vec<Charge> {
    let paid = charge(ChargeStatus::Succeeded, Some("ch_1"));
    let returned = |returned_minor, came_back_minor, dispute: Option<DisputeStatus>| Charge {
        returned_minor,
        came_back_minor,
        dispute: dispute.map(|dispute| (dispute, 600)),
        ..paid.clone()
    };
    vec![
        charge(ChargeStatus::Unconfirmed, None),
        charge(ChargeStatus::Unconfirmed, Some("ch_1")),
        charge(ChargeStatus::Processing, Some("ch_1")),
        charge(ChargeStatus::RequiresAction, Some("ch_1")),
        returned(0, 0, None),
        returned(700, 0, None),
        returned(700, 700, None),
        returned(1_100, 700, None),
        returned(1_100, 700, Some(DisputeStatus::Open)),
        returned(1_100, 700, Some(DisputeStatus::Lost)),
        returned(1_100, 700, Some(DisputeStatus::Won)),
    ]
}

proptest! {
    /// Reports in any order and any number have the same result.
    #[test]
    fn f09_f05_any_order_of_news_credits_once_and_ends_alike(
        order in prop::collection::vec(0..11_usize, 0..60),
        retries in prop::collection::vec(any::<bool>(), 60),
    ) {
        let history = history();
        let mut purchase = sent(false);
        let mut now = NOW;
        let mut credited = 0;
        // At the end, every state has been reported.
        for (at, news) in order.iter().copied().chain(0..11).enumerate() {
            now = now.plus_millis(61_000);
            for change in purchase.settle(&history[news], now) {
                if matches!(change, Change::Paid(_)) {
                    credited += 1;
                    purchase.top_up.entry_id = Some(crate::primitives::ids::EntryId::from_uuid(Uuid::nil()));
                }
                if change == Change::Returned {
                    let taken = target_of_return(&purchase).with_lost;
                    purchase.note_taken_back(taken);
                }
            }
            let card = card(1);
            if retries.get(at) == Some(&true) {
                let _ = purchase.retry(&facts(&card), attempt(&card, 100 + at as u128, false), now);
                purchase.claim(AccountStatus::Active, now);
            }
            prop_assert!(purchase.attempts.iter().filter(|attempt| attempt.is_open()).count() <= 1);
        }
        prop_assert_eq!(credited, 1);
        prop_assert_eq!(purchase.top_up.status, TopUpStatus::Succeeded);
        prop_assert_eq!((purchase.top_up.gone_minor(), purchase.top_up.dispute), (400, Some(DisputeStatus::Won)));
        prop_assert_eq!(target_of_return(&purchase).with_lost, Credits::whole(4));
        prop_assert!(purchase.open_attempt().is_none());
    }

    /// A purchase by the rule closes the gap with the fewest amounts, unless the cap or the ceiling allows fewer.
    #[test]
    fn f19_f28_one_charge_closes_the_gap_and_never_exceeds_the_cap(
        available in -2_000_000_i64..400_000, trigger in 0..300_000_i64, amount in 1_000..500_000_i64,
        cap in prop::option::of(0..20_000_i64), spent in 0..20_000_i64, recent in 0..20_i64,
    ) {
        let cap = cap.map(|cap| cap.max(amount / 100 + 1));
        let rule = rule(trigger, amount, cap);
        let card = card(1);
        let seen = Snapshot {
            facts: ChargeFacts {
                status: AccountStatus::Active,
                card: Some(&card),
                recent_declines: 0,
                credit_price: CreditPrice::from_millionths(1_000_000),
                currency: euro(),
                minimum_minor: 1,
            },
            available: Credits::from_units(available),
            has_open: false,
            last_success_at: None,
            spent_minor: spent,
            recent_attempts: 0,
            recent_credits: Credits::from_units(recent * amount),
            ceiling_ends_at: None,
        };
        let decision = rule.evaluate(&seen, NOW);
        match decision.purchase {
            Some((credits, price)) => {
                prop_assert!(available <= trigger);
                prop_assert_eq!(credits.units() % amount, 0);
                prop_assert!(cap.is_none_or(|cap| spent + price.minor <= cap));
                let after = available + credits.units();
                prop_assert!(after - amount <= trigger, "no amount too many");
                let is_ceiling = credits.units() / amount + recent >= 20;
                prop_assert!(after > trigger || decision.is_capped || is_ceiling, "none too few without a reason");
            }
            None if available > trigger => prop_assert_eq!(decision.outcome, DecisionOutcome::AboveTrigger),
            None => prop_assert_eq!(decision.outcome, DecisionOutcome::CapReached),
        }
    }

    /// Whatever is enabled, disabled and edited: a pause lasts until it is properly ended, and the consent covers what is
    /// charged.
    #[test]
    fn f30_f32_no_sequence_of_switches_and_edits_ends_a_pause_or_escapes_consent(
        steps in prop::collection::vec((prop::option::of(any::<bool>()), prop::option::of(0..300_000_i64), any::<bool>()), 1..30),
    ) {
        let mut current = rule(100_000, 100_000, None);
        current.pause(PauseReason::RepeatedDeclines, Some("fp_1"), NOW);
        let card = card(1);
        for (enabled, trigger, consent) in steps {
            let patch = AutoTopUpPatch { enabled, trigger: trigger.map(Credits::from_units), consent, ..AutoTopUpPatch::default() };
            if let Ok(after) = current.patched(&patch, patch_facts(&card), NOW) {
                prop_assert!(after.version >= current.version);
                current = after;
            }
            prop_assert_eq!(current.pause, Some(PauseReason::RepeatedDeclines));
            if current.is_enabled {
                let agreed = current.consent.expect("an enabled rule was agreed to");
                prop_assert!(current.trigger.expect("set") <= agreed.trigger);
            }
        }
        let mut same = current.clone();
        same.card_changed(&card, NOW);
        prop_assert_eq!(same.pause, Some(PauseReason::RepeatedDeclines), "the same card again is not another one");
        current.card_changed(&self::card(2), NOW);
        prop_assert_eq!(current.pause, None);
    }

    #[test]
    fn the_most_that_fits_is_what_counting_finds(wanted in 0..200_i64, fits_up_to in 0..200_i64) {
        let counted = (1..=wanted).take_while(|count| *count <= fits_up_to).count();
        prop_assert_eq!(most_amounts(wanted, |count| count <= fits_up_to), i64::try_from(counted).expect("small"));
    }

    /// A top-up is refunded in parts, whatever their number. No part returns more money than its credits are worth. All parts
    /// together return at most the price, and all credits together return the whole price.
    #[test]
    fn refunds_in_parts_give_back_what_was_paid_and_never_more(
        credits in 1..5_000_000_i64, price in 0..2_000_000_i64, parts in prop::collection::vec(1..2_000_000_i64, 1..12),
    ) {
        let mut purchase = purchase(false);
        purchase.top_up.credits = Credits::from_units(credits);
        purchase.top_up.price.minor = price;
        let (mut left, mut money) = (credits, 0);
        for part in parts.into_iter().chain([i64::MAX]) {
            let part = part.min(left);
            let amount = purchase.refund_amount(Credits::from_units(part), Credits::from_units(left));
            let Some(amount) = amount.filter(|_| part > 0) else { continue };
            money += amount;
            left -= part;
            let worth = i128::from(price) * i128::from(credits - left);
            prop_assert!(i128::from(money - 1) * i128::from(credits) < worth, "{money} for {} of {credits}", credits - left);
            prop_assert!(left == 0 || money < price);
            purchase.refunds.push(refund(part, amount));
            let target = target_of_return(&purchase);
            prop_assert_eq!((target.named, target.elsewhere), (Credits::from_units(credits - left), Credits::ZERO));
        }
        prop_assert!(money <= price);
        if left == 0 {
            prop_assert_eq!(money, price);
        }
    }
}

/// Returns a refund that the gateway accepted.
fn refund(units: i64, amount_minor: i64) -> Refund {
    Refund {
        id: Uuid::new_v4(),
        top_up_id: TopUpId::from_uuid(Uuid::from_u128(9)),
        credits: Credits::from_units(units),
        amount_minor,
        reason: "Not needed".to_owned(),
        status: RefundStatus::Succeeded,
        tries: 1,
        due_at: None,
        actor: Cause::System,
        created_at: NOW,
        is_exact: true,
        entry_id: None,
        came_back_entry_id: None,
    }
}
