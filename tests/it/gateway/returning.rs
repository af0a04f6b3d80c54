//! The contract of the port: money that is returned, and what comes back of it.

use std::time::Duration;

use ledgerbell::domain::top_up::gateway::{Charge, DisputeStatus, GatewayError};

use super::bench::{Bench, euros};
use super::contract;

contract!(
    money_goes_back_in_parts_and_never_more_than_was_charged,
    a_refund_that_fails_later_has_gone_and_come_back,
    many_refunds_are_all_counted,
    a_payment_that_fails_late_has_gone_back,
    a_dispute_is_open_then_lost_then_won,
);

fn went(charge: &Charge) -> (i64, i64) {
    (charge.returned_minor, charge.came_back_minor)
}

async fn money_goes_back_in_parts_and_never_more_than_was_charged(bench: Bench) {
    let paid = bench.paid_with("card_ok").await;
    let refund = |key: &str, minor| bench.gateway.refund(paid.id.clone(), key.to_owned(), euros(minor));
    for _ in 0..2 {
        assert_eq!(refund("a", 300).await, Ok(()));
        assert_eq!(went(&bench.read(&paid.id).await), (300, 0), "once for a key");
    }
    for minor in [701, 0, -1] {
        let refused = refund("b", minor).await;
        assert!(
            matches!(refused, Err(GatewayError::Refused { .. })),
            "{minor}: {refused:?}"
        );
    }
    assert_eq!(refund("c", 700).await, Ok(()));
    assert_eq!(went(&bench.read(&paid.id).await), (1_000, 0));
    let refused = refund("d", 1).await;
    assert!(matches!(refused, Err(GatewayError::Refused { .. })), "{refused:?}");
    let card = bench.card("card_ok").await;
    let unpaid = bench.created(&card, "unpaid").await;
    let refused = bench.gateway.refund(unpaid.id, "e".to_owned(), euros(1)).await;
    assert!(matches!(refused, Err(GatewayError::Refused { .. })), "{refused:?}");
    let missing = bench
        .gateway
        .refund("pi_nobody".to_owned(), "f".to_owned(), euros(1))
        .await;
    let is_no = matches!(missing, Err(GatewayError::Refused { .. } | GatewayError::NotFound));
    assert!(is_no, "{missing:?}");
}

async fn a_refund_that_fails_later_has_gone_and_come_back(bench: Bench) {
    let paid = bench.paid_with("card_refund_fails").await;
    let refund = |key: &str, minor| bench.gateway.refund(paid.id.clone(), key.to_owned(), euros(minor));
    assert_eq!(refund("a", 1_000).await, Ok(()));
    assert_eq!(went(&bench.read(&paid.id).await), (1_000, 0));
    bench.clock.advance(Duration::from_secs(61));
    assert_eq!(went(&bench.read(&paid.id).await), (1_000, 1_000));
    assert_eq!(refund("b", 400).await, Ok(()), "it can be tried again");
    assert_eq!(went(&bench.read(&paid.id).await), (1_400, 1_000));
    bench.clock.advance(Duration::from_secs(61));
    let listed = bench.gateway.list_charges(paid.created_at, None).await.expect("a page");
    assert_eq!(went(&listed[0]), (1_400, 1_400));
}

async fn many_refunds_are_all_counted(bench: Bench) {
    let paid = bench.paid_with("card_ok").await;
    for at in 0..25 {
        let refunded = bench.gateway.refund(paid.id.clone(), format!("{at}"), euros(10)).await;
        assert_eq!(refunded, Ok(()));
    }
    assert!(bench.simulated.fail_refund(&paid.id));
    assert_eq!(went(&bench.read(&paid.id).await), (250, 10));
}

async fn a_payment_that_fails_late_has_gone_back(bench: Bench) {
    let paid = bench.paid_with("card_fails_late").await;
    assert_eq!(went(&paid), (0, 0));
    bench.clock.advance(Duration::from_secs(61));
    assert_eq!(went(&bench.read(&paid.id).await), (1_000, 0));
}

async fn a_dispute_is_open_then_lost_then_won(bench: Bench) {
    let paid = bench.paid_with("card_disputed").await;
    assert_eq!(bench.read(&paid.id).await.dispute, Some((DisputeStatus::Open, 1_000)));
    for (is_won, status) in [(false, DisputeStatus::Lost), (true, DisputeStatus::Won)] {
        assert!(bench.simulated.close_dispute(&paid.id, is_won));
        assert_eq!(bench.read(&paid.id).await.dispute, Some((status, 1_000)));
    }
}
