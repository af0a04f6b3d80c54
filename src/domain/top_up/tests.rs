//! Recording what was paid, run again.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::member::tests::Room;

/// A transaction whose COMMIT was not answered runs again, later, though it may have happened.
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
        let (ledger, paid, account_id) = (room.ledger.clone(), Arc::clone(&paid), team.id);
        let top_up: Result<TopUp, RecordPaidError> = room
            .database
            .transaction(move |tx| {
                let (ledger, paid) = (ledger.clone(), Arc::clone(&paid));
                Box::pin(async move {
                    let mut locked = ledger.begin(tx, account_id).await?.expect("exists");
                    record_paid(tx, &mut locked, &paid).await
                })
            })
            .await;
        made.push(top_up.expect("recorded"));
        room.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(made[0], made[1]);
    let balances = room.ledger.balances(&[team.id]).await.expect("reads");
    assert_eq!(balances[&team.id].posted, Credits::whole(10));
}
