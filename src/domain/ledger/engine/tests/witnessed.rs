//! Measures the cost of the second connection that sees each commit: `cargo test --lib witnessed:: -- --ignored
//! --nocapture`.

use std::time::Instant;

use futures_util::future::join_all;

use super::*;

const ROUNDS: u32 = 3;
const ALONE: u32 = 300;
const TOGETHER: u32 = 4_000;

/// Postings a second: one after the other, and 64 at a time.
async fn rates(room: &Room, name: &str) -> (f64, f64) {
    let account = AccountId::from_number(1);
    // An account has a bounded number of lots.
    let of_client = |client: i64| AccountId::from_number(2 + client);
    let begun = Instant::now();
    for number in 0..ALONE {
        room.post(account, &format!("{name} alone {number}"), grant(1))
            .await
            .expect("posts");
    }
    let alone = f64::from(ALONE) / begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let clients = (0..64).map(|client| async move {
        for number in 0..TOGETHER / 64 {
            let key = format!("{name} together {client} {number}");
            room.post(of_client(client), &key, grant(1)).await.expect("posts");
        }
    });
    join_all(clients).await;
    (alone, f64::from(TOGETHER) / begun.elapsed().as_secs_f64())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures"]
async fn a_witness_costs_this_share_of_postings() {
    let mut sums = [(0.0, 0.0); 2];
    for round in 0..ROUNDS {
        for (at, is_witnessed) in [true, false].into_iter().enumerate() {
            let mut scratch = sqlite().await;
            if !is_witnessed {
                scratch.database = scratch.database.clone().unwitnessed();
            }
            let room = Room::new(scratch);
            for account in 1..=65 {
                room.account(account).await;
            }
            let (alone, together) = rates(&room, &format!("{round} {is_witnessed}")).await;
            println!("witness {is_witnessed}: {alone:.0} postings/s alone, {together:.0} with 64 clients");
            sums[at].0 += alone;
            sums[at].1 += together;
            room.engine.shutdown().await;
            room.scratch.drop_it().await;
        }
    }
    println!(
        "with a witness: {:.0} % of the postings alone, {:.0} % with 64 clients",
        sums[0].0 / sums[1].0 * 100.0,
        sums[0].1 / sums[1].1 * 100.0
    );
}
