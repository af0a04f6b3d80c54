//! Query plans for a long history: no statement scans a table.

use ledgerbell::domain::ledger::credit_log::CreditLog;
use ledgerbell::primitives::actor::Actor;
use ledgerbell::primitives::clock::Timestamp;
use ledgerbell::primitives::ids::AccountId;
use ledgerbell::primitives::page::PageRequest;
use sea_orm::{ConnectionTrait, DbBackend};

use crate::reading::ground::Ground;
use crate::reading::rows::insert_account;

const ACCOUNT: AccountId = AccountId::from_number(7);
const BEGIN: i64 = 1_700_000_000_000;
const MOVEMENTS: i64 = 40_000;

/// Inserts sessions that are booked and released one after the other; every tenth one stays.
async fn load(ground: &Ground) {
    insert_account(ground, ACCOUNT, "UTC").await;
    let is_sqlite = ground.backend() == DbBackend::Sqlite;
    let holder = if is_sqlite {
        "unhex(printf('3%031x', n / 2))"
    } else {
        "CAST('3' || lpad(to_hex(n / 2), 31, '0') AS uuid)"
    };
    let insert = format!(
        "INSERT INTO hold_movement (account_id, holder_id, sequence, holder, occurred_at, amount, held, held_after) \
         WITH RECURSIVE s(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM s WHERE n <= {MOVEMENTS}) \
         SELECT {}, {holder}, n, 'SESSION', {BEGIN} + n * 1000, CASE WHEN n % 2 = 0 THEN 5 ELSE -5 END, \
         CASE WHEN n % 2 = 0 THEN 5 ELSE 0 END, 100 FROM s WHERE n % 20 <> 1",
        ACCOUNT.number()
    );
    let mut statements = vec![insert];
    // On SQLite no statistics are gathered in production either.
    statements.extend((!is_sqlite).then(|| "VACUUM ANALYZE hold_movement".to_owned()));
    ground.load(&statements).await;
}

#[tokio::test]
async fn past_balances_and_holds_are_found_by_indexes() {
    for ground in Ground::each_with_plans().await {
        load(&ground).await;
        let log = CreditLog::new(ground.database.clone());
        let at = Timestamp::from_millis(BEGIN + MOVEMENTS / 2 * 1_000);
        let now = Timestamp::from_millis(BEGIN * 2);
        ground.take_asked();
        let balance = log
            .balance_at(&Actor::System, ACCOUNT, Some(at), now)
            .await
            .expect("a balance");
        assert_eq!(balance.held.units(), 100);
        let request = PageRequest::forward(50, None);
        let page = log
            .holds_at(&Actor::System, ACCOUNT, at, &request)
            .await
            .expect("a page");
        assert_eq!(page.items.len(), 50);
        let asked = ground.take_asked();
        assert!((2..=6).contains(&asked.len()), "{asked:#?}");
        for statement in asked {
            let mut explained = statement.clone();
            let is_sqlite = ground.backend() == DbBackend::Sqlite;
            let how = if is_sqlite { "EXPLAIN QUERY PLAN" } else { "EXPLAIN" };
            explained.sql = format!("{how} {}", statement.sql);
            for row in ground.database.read().query_all_raw(explained).await.expect("explains") {
                let step: String = if is_sqlite {
                    row.try_get("", "detail").expect("a detail")
                } else {
                    row.try_get_by_index(0).expect("a line")
                };
                let walks = ["SCAN hold_movement", "SCAN credit_entry", "Seq Scan on hold_movement"];
                let walks = walks.iter().any(|walk| step.contains(walk)) || step.contains("Hash Anti Join");
                assert!(!walks, "{}: {step}\n{}", ground.name(), statement.sql);
                // By its holder: by its time, each hold would scan all earlier rows.
                let is_by_holder = !step.contains("later") || step.contains("PRIMARY KEY") || !is_sqlite;
                assert!(is_by_holder, "{}: {step}\n{}", ground.name(), statement.sql);
            }
        }
    }
}
