//! Tests that a paid top-up is recorded once, also if the transaction runs again.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::fault::UseCaseError;
use crate::domain::member::tests::Room;

/// A transaction whose COMMIT got no response runs again later, although the commit may have succeeded.
#[tokio::test]
async fn f01_what_was_paid_is_credited_once_however_often_the_transaction_runs() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let paid = Arc::new(Paid::new(
        Credits::whole(10),
        TopUpOrigin::Manual,
        Cause::Member(owner.id),
    ));
    let mut made = Vec::new();
    for _ in 0..2 {
        let paid = Arc::clone(&paid);
        let recorded = room.ledger.change(team.id, move |tx, locked| {
            let paid = Arc::clone(&paid);
            Box::pin(async move { record_paid(tx, locked, &paid).await })
        });
        let top_up: Result<TopUp, UseCaseError<RecordPaidRefusal>> = recorded.await;
        made.push(top_up.expect("recorded"));
        room.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(made[0], made[1]);
    let balances = room.ledger.balances(&[team.id]).await.expect("reads");
    assert_eq!(balances[&team.id].posted, Credits::whole(10));
}
