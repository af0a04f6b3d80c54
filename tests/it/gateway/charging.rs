//! The contract of the port: cards, and objects that are charged once.

use std::collections::BTreeSet;

use ledgerbell::adapters::gateway::simulated::Chaos;
use ledgerbell::domain::top_up::gateway::{Charge, ChargeStatus, Confirmation, GatewayError, InvalidWebhook};
use ledgerbell::domain::top_up::model::FailureCode;
use ledgerbell::primitives::clock::Timestamp;

use super::bench::{Bench, money};
use super::contract;

contract!(
    a_customer_is_made_once_for_a_key_and_has_cards_of_their_own,
    what_is_no_card_is_refused,
    an_object_is_made_unconfirmed_and_charged_when_it_is_confirmed,
    the_same_key_makes_one_object_and_one_charge_also_when_answers_are_lost,
    an_object_is_charged_once_by_whatever_key,
    a_decline_says_why_and_leaves_the_object_for_another_card,
    each_decline_has_a_mark_of_its_own,
    what_is_canceled_unconfirmed_is_never_charged,
    what_has_succeeded_is_not_canceled,
    a_bank_that_wants_its_customer_gets_them_a_page,
    silence_is_unknown_and_what_happened_is_found_by_reading,
    a_card_that_was_forgotten_is_not_charged_and_that_is_said,
    amounts_are_charged_in_every_currency_as_cards_allow,
    a_list_has_every_object_since_then_once,
    messages_are_believed_when_signed_and_young,
);

async fn a_customer_is_made_once_for_a_key_and_has_cards_of_their_own(bench: Bench) {
    let gateway = &bench.gateway;
    let make = |key: &str| gateway.create_customer(key.to_owned(), "acc_1".to_owned());
    assert_eq!(make("customer").await, Ok(bench.customer.clone()));
    assert_ne!(make("another").await, Ok(bench.customer.clone()));
    let setup = gateway.start_setup(bench.customer.clone()).await.expect("begun");
    assert!(setup.client_secret.contains("_secret_") && setup.publishable_key.starts_with("pk_"));
    let (first, again) = (bench.card("card_ok").await, bench.card("card_ok").await);
    assert_eq!(first.fingerprint, again.fingerprint);
    assert_eq!(bench.card(&first.id).await, first, "one that they have is that one");
    assert_eq!((first.brand.as_str(), first.last4.as_str()), ("visa", "4242"));
    assert!(first.expiry_year > 2_026 && (1..=12).contains(&first.expiry_month));
    assert_ne!(bench.card("card_declined").await.fingerprint, first.fingerprint);
}

async fn what_is_no_card_is_refused(bench: Bench) {
    for token in [
        "card_nobody",
        "tok_nobody",
        "pm_1",
        "../customers",
        "card ok",
        "",
        "a/b?c=d#e",
    ] {
        let kept = bench.gateway.keep_card(bench.customer.clone(), token.to_owned()).await;
        let is_refused = matches!(kept, Err(GatewayError::Refused { .. } | GatewayError::NotFound));
        assert!(is_refused, "{token:?}: {kept:?}");
    }
    let missing = bench.gateway.read_charge("pi_nobody".to_owned()).await;
    assert_eq!(missing, Err(GatewayError::NotFound));
}

async fn an_object_is_made_unconfirmed_and_charged_when_it_is_confirmed(bench: Bench) {
    let card = bench.card("card_ok").await;
    let made = bench.created(&card, "a").await;
    assert_eq!((made.amount_minor, made.reference.as_deref()), (1_000, Some("top_a")));
    assert_eq!((made.failure.clone(), bench.charges()), (None, 0));
    assert_eq!(bench.read(&made.id).await, made, "and is found again by its id");
    let paid = bench.confirm(&made.id, &card, "a1").await;
    assert_eq!((paid.status, bench.charges()), (ChargeStatus::Succeeded, 1));
    assert_eq!((paid.returned_minor, paid.came_back_minor, paid.dispute), (0, 0, None));
    assert_eq!(bench.read(&made.id).await, paid);
}

async fn the_same_key_makes_one_object_and_one_charge_also_when_answers_are_lost(bench: Bench) {
    let card = bench.card("card_ok").await;
    let loses_answers = Chaos {
        lost_after: 1_000,
        ..Chaos::default()
    };
    bench.simulated.make_trouble(1, Some(loses_answers));
    let lost = bench.gateway.create_charge(bench.new_charge(&card, "a")).await;
    assert!(matches!(lost, Err(GatewayError::Unknown(_))), "{lost:?}");
    bench.simulated.make_trouble(1, None);
    let made = bench.created(&card, "a").await;
    assert_eq!(bench.created(&card, "a").await.id, made.id);
    assert_ne!(bench.created(&card, "b").await.id, made.id);
    bench.simulated.make_trouble(1, Some(loses_answers));
    let lost = bench.try_confirm(&made.id, &card, "a1").await;
    assert!(matches!(lost, Err(GatewayError::Unknown(_))), "{lost:?}");
    bench.simulated.make_trouble(1, None);
    for _ in 0..3 {
        let paid = bench.confirm(&made.id, &card, "a1").await;
        assert_eq!((paid.status, bench.charges()), (ChargeStatus::Succeeded, 1));
    }
    assert_eq!(bench.simulated.objects().len(), 2);
}

async fn an_object_is_charged_once_by_whatever_key(bench: Bench) {
    let (card, other) = (bench.card("card_ok").await, bench.card("pm_card_mastercard").await);
    let made = bench.created(&card, "a").await;
    for (key, card) in [("a1", &card), ("a2", &card), ("a3", &other)] {
        let paid = bench.confirm(&made.id, card, key).await;
        assert_eq!((paid.status, bench.charges()), (ChargeStatus::Succeeded, 1), "{key}");
    }
}

fn why(charge: &Charge) -> Option<FailureCode> {
    charge.failure.as_ref().map(|failure| failure.code)
}

async fn a_decline_says_why_and_leaves_the_object_for_another_card(bench: Bench) {
    for (token, code) in [
        ("card_insufficient_funds", FailureCode::InsufficientFunds),
        ("card_declined", FailureCode::CardDeclined),
        ("card_expired", FailureCode::CardExpired),
        ("card_blocked", FailureCode::CardBlocked),
    ] {
        let card = bench.card(token).await;
        let made = bench.created(&card, token).await;
        let before = bench.charges();
        let declined = bench.confirm(&made.id, &card, token).await;
        assert_eq!(
            (declined.status, why(&declined)),
            (ChargeStatus::Unconfirmed, Some(code)),
            "{token}"
        );
        assert_eq!(bench.read(&made.id).await, declined);
        let again = bench.confirm(&made.id, &card, token).await;
        assert_eq!(again, declined, "the same key does not try again");
        let good = bench.card("card_ok").await;
        let paid = bench.confirm(&made.id, &good, &format!("{token} again")).await;
        assert_eq!((paid.status, bench.charges()), (ChargeStatus::Succeeded, before + 1));
    }
}

async fn each_decline_has_a_mark_of_its_own(bench: Bench) {
    let card = bench.card("card_declined").await;
    let made = bench.created(&card, "a").await;
    let mut marks = BTreeSet::new();
    for key in ["a1", "a2", "a3"] {
        let declined = bench.confirm(&made.id, &card, key).await;
        let mark = declined.failure.expect("a failure").mark;
        assert!(marks.insert(mark.clone()), "{key}: {mark} was there before");
    }
    // A customer who gives up is not confused with the earlier decline, or with giving up earlier.
    let wanting = bench.card("card_authenticate").await;
    for key in ["a4", "a5"] {
        bench.confirm(&made.id, &wanting, key).await;
        assert!(bench.simulated.authenticate(&made.id, false));
        let given_up = bench.read(&made.id).await.failure.expect("a failure");
        assert_eq!(given_up.code, FailureCode::AuthenticationRequired);
        assert!(marks.insert(given_up.mark), "{key}");
    }
}

async fn what_is_canceled_unconfirmed_is_never_charged(bench: Bench) {
    let card = bench.card("card_ok").await;
    let made = bench.created(&card, "a").await;
    for _ in 0..2 {
        let canceled = bench.gateway.cancel_charge(made.id.clone()).await.expect("an answer");
        assert_eq!(canceled.status, ChargeStatus::Canceled);
    }
    let confirmed = bench.confirm(&made.id, &card, "a1").await;
    assert_eq!((confirmed.status, bench.charges()), (ChargeStatus::Canceled, 0));
    // Also while the bank waits for the customer.
    let card = bench.card("card_authenticate").await;
    let made = bench.created(&card, "b").await;
    bench.confirm(&made.id, &card, "b1").await;
    let canceled = bench.gateway.cancel_charge(made.id.clone()).await.expect("an answer");
    assert_eq!(canceled.status, ChargeStatus::Canceled);
    assert!(
        !bench.simulated.authenticate(&made.id, true),
        "it is too late to confirm"
    );
    assert_eq!(bench.charges(), 0);
}

async fn what_has_succeeded_is_not_canceled(bench: Bench) {
    let paid = bench.paid_with("card_ok").await;
    let asked = bench.gateway.cancel_charge(paid.id.clone()).await.expect("an answer");
    assert_eq!(asked.status, ChargeStatus::Succeeded);
    let missing = bench.gateway.cancel_charge("pi_nobody".to_owned()).await;
    assert_eq!(missing, Err(GatewayError::NotFound));
}

async fn a_bank_that_wants_its_customer_gets_them_a_page(bench: Bench) {
    let card = bench.card("card_authenticate").await;
    for (key, is_automatic, confirms) in [("a", false, true), ("b", true, true), ("c", true, false)] {
        let made = bench.created(&card, key).await;
        let before = bench.charges();
        let confirmation = Confirmation {
            charge_id: made.id.clone(),
            key: format!("{key}1"),
            card_id: card.id.clone(),
            is_automatic,
        };
        let waits = bench.gateway.confirm_charge(confirmation).await.expect("an answer");
        assert_eq!(
            (waits.status, bench.charges()),
            (ChargeStatus::RequiresAction, before),
            "{key}"
        );
        let page = waits.action_url.clone().expect("a page");
        assert!(page.contains(&format!("/{}/", made.id)), "{page}");
        assert!(bench.simulated.authenticate(&made.id, confirms));
        let after = bench.read(&made.id).await;
        if confirms {
            assert_eq!((after.status, bench.charges()), (ChargeStatus::Succeeded, before + 1));
            assert_eq!(after.action_url, None);
        } else {
            let expected = (ChargeStatus::Unconfirmed, Some(FailureCode::AuthenticationRequired));
            assert_eq!((after.status, why(&after)), expected);
        }
    }
}

async fn silence_is_unknown_and_what_happened_is_found_by_reading(bench: Bench) {
    for (token, charged) in [
        ("card_hang", false),
        ("card_unavailable", false),
        ("card_dies_after_charge", true),
    ] {
        let card = bench.card(token).await;
        let made = bench.created(&card, token).await;
        let before = bench.charges();
        let answer = bench.try_confirm(&made.id, &card, token).await;
        assert!(matches!(answer, Err(GatewayError::Unknown(_))), "{token}: {answer:?}");
        let (status, charges) = if charged {
            (ChargeStatus::Succeeded, before + 1)
        } else {
            (ChargeStatus::Unconfirmed, before)
        };
        let found = bench.read(&made.id).await;
        assert_eq!((found.status, why(&found)), (status, None), "{token}");
        bench.simulated.end_outage();
        // The same key again, as after a missing response.
        let again = bench.try_confirm(&made.id, &card, token).await;
        let expected = if charged { charges } else { before + 1 };
        assert_eq!(bench.charges(), expected, "{token}: {again:?}");
        assert_eq!(bench.read(&made.id).await.status, ChargeStatus::Succeeded, "{token}");
    }
    let card = bench.card("card_slow").await;
    let made = bench.created(&card, "slow").await;
    assert_eq!(
        bench.confirm(&made.id, &card, "slow").await.status,
        ChargeStatus::Processing
    );
    bench.clock.advance(std::time::Duration::from_secs(6));
    assert_eq!(bench.read(&made.id).await.status, ChargeStatus::Succeeded);
}

async fn a_card_that_was_forgotten_is_not_charged_and_that_is_said(bench: Bench) {
    let card = bench.card("card_ok").await;
    let made = bench.created(&card, "a").await;
    for _ in 0..2 {
        assert_eq!(bench.gateway.forget_card(card.id.clone()).await, Ok(()));
    }
    let refused = bench.confirm(&made.id, &card, "a1").await;
    assert_eq!(refused.status, ChargeStatus::Unconfirmed);
    assert_eq!(why(&refused), Some(FailureCode::PaymentMethodMissing));
    let other = bench.card("pm_card_mastercard").await;
    let paid = bench.confirm(&made.id, &other, "a2").await;
    assert_eq!((paid.status, bench.charges()), (ChargeStatus::Succeeded, 1));
}

async fn amounts_are_charged_in_every_currency_as_cards_allow(bench: Bench) {
    let card = bench.card("card_ok").await;
    for (at, (code, minor)) in [
        ("JPY", 500),
        ("ISK", 501),
        ("UGX", 2_001),
        ("MGA", 700_100),
        ("KWD", 1_230),
        ("BHD", 50),
    ]
    .into_iter()
    .enumerate()
    {
        let mut new = bench.new_charge(&card, code);
        new.price = money(minor, code);
        let made = bench.gateway.create_charge(new).await.expect(code);
        assert_eq!(made.amount_minor, minor, "{code}");
        bench.confirm(&made.id, &card, code).await;
        let half = money(minor / 2 / new_step(code) * new_step(code), code);
        assert_eq!(
            bench.gateway.refund(made.id.clone(), code.to_owned(), half).await,
            Ok(()),
            "{code}"
        );
        assert_eq!(bench.read(&made.id).await.returned_minor, half.minor, "{code}");
        assert_eq!(bench.charges() as usize, at + 1);
        assert!(bench.gateway.minimum(half.currency) <= minor, "{code}");
    }
    for (code, minor) in [("EUR", 1), ("KWD", 1_235), ("KWD", 10)] {
        let mut new = bench.new_charge(&card, "no");
        new.price = money(minor, code);
        let refused = bench.gateway.create_charge(new).await;
        let is_of_amount = |error: &GatewayError| matches!(error, GatewayError::Refused { code, .. } if *code == FailureCode::AmountInvalid);
        assert!(refused.as_ref().is_err_and(is_of_amount), "{code}: {refused:?}");
    }
}

fn new_step(code: &str) -> i64 {
    money(0, code).currency.step()
}

async fn a_list_has_every_object_since_then_once(bench: Bench) {
    let card = bench.card("card_ok").await;
    let old = bench.created(&card, "old").await;
    bench.clock.advance(std::time::Duration::from_hours(1));
    let since = bench.clock.now();
    let mut expected = BTreeSet::new();
    for at in 0..130 {
        expected.insert(bench.created(&card, &format!("{at}")).await.id);
    }
    let (mut listed, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = bench.gateway.list_charges(since, after).await.expect("a page");
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 100);
        after = Some(last.id.clone());
        listed.extend(page.into_iter().map(|charge| charge.id));
        pages += 1;
    }
    assert_eq!((listed.len(), pages), (130, 2));
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected);
    let everything = bench.gateway.list_charges(Timestamp::from_millis(0), None).await;
    assert_eq!(everything.expect("a page").len(), 100);
    assert!(!expected.contains(&old.id));
}

async fn messages_are_believed_when_signed_and_young(bench: Bench) {
    let paid = bench.paid_with("card_refund_fails").await;
    let refunded = bench
        .gateway
        .refund(paid.id.clone(), "r".to_owned(), super::bench::euros(400))
        .await;
    assert_eq!(refunded, Ok(()));
    assert!(bench.simulated.open_dispute(&paid.id));
    bench.clock.advance(std::time::Duration::from_secs(61));
    let (now, gateway) = (bench.clock.now(), &bench.gateway);
    let mut kinds = BTreeSet::new();
    for (body, signature) in bench.simulated.take_messages() {
        let notice = gateway.read_webhook(&body, &signature, now).expect("believed");
        assert_eq!(notice.charge_id.as_ref(), Some(&paid.id), "{notice:?}");
        kinds.insert(notice.kind);
        let mut tampered = body.clone();
        let at = tampered.len() / 2;
        tampered[at] ^= 1;
        let refused = Err(InvalidWebhook::Signature);
        assert_eq!(gateway.read_webhook(&tampered, &signature, now), refused);
        assert_eq!(gateway.read_webhook(&body, "t=1,v1=00", now), refused);
        assert_eq!(gateway.read_webhook(&body, "", now), refused);
        let late = now.plus_millis(301_000);
        assert_eq!(gateway.read_webhook(&body, &signature, late), refused);
    }
    let expected = [
        "charge.dispute.created",
        "charge.refund.updated",
        "charge.refunded",
        "payment_intent.created",
        "payment_intent.succeeded",
        "refund.created",
        "refund.failed",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
}
