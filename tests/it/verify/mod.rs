//! Verification finds errors in any kind of row, and reports none in valid rows.

mod rows;
mod since;
mod use_cases;

use std::collections::HashMap;

use ledgerbell::domain::fault::Fault;
use ledgerbell::domain::ledger::verify::{Progress, VerifyReport, Violation, verify};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::scratch::{Scratch, each_database};

/// Statements that tamper with the account `$1`, each with the invariant that it breaks.
const TAMPERINGS: &[(&str, &str)] = &[
    (
        "UPDATE credit_entry SET amount = amount + 1 WHERE account_id = $1 AND sequence = 3",
        "hash follows",
    ),
    (
        "UPDATE credit_entry SET amount = amount + 1 WHERE account_id = $1 AND sequence = 3",
        "movements sum up",
    ),
    (
        "UPDATE credit_entry SET amount = amount - 1 WHERE account_id = $1 AND sequence = 5",
        "sum of all entries",
    ),
    (
        "UPDATE credit_entry SET balance_after = 7 WHERE account_id = $1 AND sequence = 2",
        "balance after an entry",
    ),
    (
        "UPDATE credit_entry SET added_after = added_after + 3 WHERE account_id = $1 AND sequence = 4",
        "added until an entry",
    ),
    (
        "UPDATE account_state SET added = added - 1 WHERE account_id = $1",
        "added in all",
    ),
    (
        "UPDATE credit_entry SET description = 'Nothing' WHERE account_id = $1 AND sequence = 1",
        "hash follows",
    ),
    (
        "UPDATE credit_entry SET contra = 'EXPIRED' WHERE account_id = $1 AND sequence = 1",
        "hash follows",
    ),
    (
        "UPDATE credit_entry SET actor_kind = 'PAYMENT_GATEWAY' WHERE account_id = $1 AND sequence = 1",
        "hash follows",
    ),
    (
        "UPDATE credit_entry SET kind = 'GIFT' WHERE account_id = $1 AND sequence = 1",
        "known words",
    ),
    (
        "UPDATE credit_entry SET hash_version = 99 WHERE account_id = $1 AND sequence = 1",
        "known words",
    ),
    (
        "UPDATE credit_entry SET hash = {zeros} WHERE account_id = $1 AND sequence = 4",
        "hash follows",
    ),
    (
        "UPDATE credit_entry SET occurred_at = 5 WHERE account_id = $1 AND sequence = 4",
        "never runs backwards",
    ),
    (
        "UPDATE credit_entry SET taken_back = 9 WHERE account_id = $1 AND sequence = 3",
        "its reversals took",
    ),
    (
        "UPDATE credit_entry SET taken_back = 999999999 WHERE account_id = $1 AND sequence = 1",
        "than its amount",
    ),
    (
        "UPDATE credit_entry SET reverses_entry_id = {no_id} WHERE account_id = $1 AND sequence = 4",
        "reverses exists",
    ),
    (
        "UPDATE credit_entry SET session_id = {no_id} WHERE account_id = $1 AND sequence = 4",
        "session of an entry",
    ),
    (
        "UPDATE credit_entry SET top_up_id = {no_id} WHERE account_id = $1 AND sequence = 2",
        "is named by it",
    ),
    (
        "DELETE FROM credit_entry WHERE account_id = $1 AND sequence = 2",
        "without holes",
    ),
    (
        "DELETE FROM credit_entry WHERE account_id = $1 AND sequence = 5",
        "the last entry's number",
    ),
    (
        "DELETE FROM credit_entry WHERE account_id = $1 AND sequence = 5",
        "the last entry's",
    ),
    (
        "DELETE FROM credit_entry WHERE account_id = $1 AND sequence = 5",
        "entry of a movement",
    ),
    (
        "UPDATE credit_lot SET remaining = remaining + 1 WHERE account_id = $1 AND kind = 'PAID'",
        "a lot has left what",
    ),
    (
        "UPDATE credit_lot SET remaining = granted + 1 WHERE account_id = $1 AND kind = 'PAID'",
        "between nothing and",
    ),
    (
        "UPDATE credit_lot SET remaining = 0 WHERE account_id = $1",
        "number of lots with a remainder",
    ),
    (
        "UPDATE credit_lot SET remaining = 0 WHERE account_id = $1",
        "what lots have left",
    ),
    (
        "UPDATE credit_lot SET entry_id = {no_id} WHERE account_id = $1 AND kind = 'PAID'",
        "that made a lot",
    ),
    (
        "DELETE FROM credit_lot WHERE account_id = $1 AND kind = 'PROMOTIONAL'",
        "lot of a movement",
    ),
    (
        "UPDATE lot_movement SET amount = amount - 1 WHERE account_id = $1 AND amount < 0",
        "movements sum up",
    ),
    (
        "UPDATE lot_movement SET lot_id = NULL WHERE account_id = $1 AND amount < 0",
        "the debt is what",
    ),
    (
        "UPDATE lot_movement SET returned = 0 WHERE account_id = $1",
        "returned of a deduction's draws",
    ),
    (
        "UPDATE lot_movement SET returned = 1 WHERE account_id = $1 AND amount > 0",
        "than was drawn",
    ),
    (
        "UPDATE lot_movement SET entry_id = {no_id} WHERE account_id = $1 AND ordinal = 1",
        "entry of a movement",
    ),
    (
        "DELETE FROM lot_movement WHERE account_id = $1 AND ordinal = 1",
        "movements sum up",
    ),
    (
        "UPDATE session SET held = 3 WHERE account_id = $1 AND status = 'BOOKED'",
        "holds the sum of its parts",
    ),
    (
        "UPDATE session SET held = 3 WHERE account_id = $1 AND status = 'BOOKED'",
        "what open sessions, disputes and refunds under way hold",
    ),
    (
        "UPDATE session SET held = 3 WHERE account_id = $1 AND status = 'COMPLETED'",
        "then nothing",
    ),
    (
        "UPDATE session SET charged = 1 WHERE account_id = $1 AND status = 'COMPLETED'",
        "entries deducted",
    ),
    (
        "UPDATE session SET refunded = 1 WHERE account_id = $1 AND status = 'COMPLETED'",
        "entries gave back",
    ),
    (
        "UPDATE session SET status = 'EXPIRED' WHERE account_id = $1 AND status = 'BOOKED'",
        "part of a hold is open",
    ),
    (
        "DELETE FROM hold_movement WHERE account_id = $1 AND sequence = 3",
        "sum of all changes of holds",
    ),
    (
        "DELETE FROM hold_movement WHERE account_id = $1 AND sequence = 3",
        "last change of its hold",
    ),
    (
        "UPDATE hold_movement SET held_after = 9 WHERE account_id = $1 AND sequence = 2",
        "what was held before it",
    ),
    (
        "UPDATE hold_movement SET held = 9 WHERE account_id = $1 AND sequence = 2",
        "what one holds after",
    ),
    (
        "UPDATE hold_movement SET holder_id = (SELECT id FROM top_up WHERE account_id = $1) WHERE account_id = $1 AND sequence = 2",
        "a top-up holds what the last",
    ),
    (
        "UPDATE session SET resolved_at = NULL WHERE account_id = $1 AND status = 'COMPLETED'",
        "only when it is not open",
    ),
    (
        "UPDATE session SET charge_entry_id = NULL WHERE account_id = $1 AND status = 'COMPLETED'",
        "names the entry",
    ),
    (
        "UPDATE session SET member_id = {no_id} WHERE account_id = $1",
        "member of a session",
    ),
    (
        "DELETE FROM session WHERE account_id = $1 AND status = 'COMPLETED'",
        "session of an entry",
    ),
    (
        "DELETE FROM session WHERE account_id = $1 AND status = 'BOOKED'",
        "part of a hold is open",
    ),
    (
        "UPDATE account_state SET incoming = 5 WHERE account_id = $1",
        "top-ups being charged will bring",
    ),
    (
        "UPDATE top_up SET credits_reversed = 7 WHERE account_id = $1",
        "return took back of a top-up",
    ),
    (
        "UPDATE top_up SET status = 'PROCESSING' WHERE account_id = $1",
        "has an attempt that is",
    ),
    (
        "UPDATE top_up SET status = 'DISPUTED' WHERE account_id = $1",
        "when and only when it is disputed or being refunded",
    ),
    (
        "INSERT INTO top_up_hold (account_id, top_up_id, amount) VALUES ($1, {no_id}, 5)",
        "top-up of a hold exists",
    ),
    (
        "INSERT INTO top_up_hold (account_id, top_up_id, amount) VALUES ($1, {no_id}, 5)",
        "disputes and refunds under way hold",
    ),
    (
        "UPDATE idempotency_key SET top_up_id = {no_id} WHERE account_id = $1",
        "idempotency key made exists",
    ),
    (
        "UPDATE idempotency_key SET digest = {no_bytes}, session_id = NULL, entry_id = NULL, origin = 'SYSTEM' WHERE account_id = $1",
        "digest of its input, or has expired",
    ),
    (
        "UPDATE idempotency_key SET digest = {no_bytes} WHERE account_id = $1",
        "digest of its input, or has expired",
    ),
    ("DELETE FROM member WHERE account_id = $1", "member of a session"),
    (
        "UPDATE session_hold SET amount = 1 WHERE account_id = $1",
        "sum of all parts",
    ),
    (
        "DELETE FROM session_hold WHERE account_id = $1",
        "holds the sum of its parts",
    ),
    (
        "UPDATE account_state SET posted = posted + 1 WHERE account_id = $1",
        "sum of all entries",
    ),
    (
        "UPDATE account_state SET posted = posted + 1 WHERE account_id = $1",
        "balance after the last",
    ),
    (
        "UPDATE account_state SET posted = posted + 1 WHERE account_id = $1",
        "contra accounts together",
    ),
    (
        "UPDATE account_state SET held = held + 1 WHERE account_id = $1",
        "what open sessions, disputes and refunds under way hold",
    ),
    (
        "UPDATE account_state SET debt = 5 WHERE account_id = $1",
        "never coexist",
    ),
    (
        "UPDATE account_state SET debt = 5 WHERE account_id = $1",
        "the debt is what",
    ),
    (
        "UPDATE account_state SET entry_sequence = 6 WHERE account_id = $1",
        "the last entry's number",
    ),
    (
        "UPDATE account_state SET event_sequence = 99 WHERE account_id = $1",
        "the last number",
    ),
    (
        "UPDATE account_state SET event_nonce = 99 WHERE account_id = $1",
        "last event's nonce",
    ),
    (
        "UPDATE account_state SET last_hash = {zeros} WHERE account_id = $1",
        "last hash",
    ),
    (
        "UPDATE account_state SET lot_count = 9 WHERE account_id = $1",
        "number of lots",
    ),
    (
        "UPDATE account_state SET last_at = 1 WHERE account_id = $1",
        "than the account's last time",
    ),
    (
        "UPDATE top_up SET credits = 1 WHERE account_id = $1",
        "of the same credits",
    ),
    (
        "UPDATE top_up SET entry_id = NULL WHERE account_id = $1",
        "of the same credits",
    ),
    ("DELETE FROM top_up WHERE account_id = $1", "is named by it"),
    (
        "DELETE FROM event WHERE account_id = $1 AND sequence = 2",
        "event before this number",
    ),
    (
        "DELETE FROM event WHERE account_id = $1 AND sequence = 2",
        "how many there are",
    ),
    (
        "DELETE FROM event WHERE account_id = $1 AND sequence = 5",
        "the last number",
    ),
    (
        "DELETE FROM event WHERE account_id = $1 AND sequence = 1",
        "event before this number",
    ),
    (
        "UPDATE account_state SET events_deleted = 1 WHERE account_id = $1",
        "event before this number",
    ),
    (
        "UPDATE account_state SET events_deleted = 1 WHERE account_id = $1",
        "how many there are",
    ),
    ("UPDATE event SET nonce = 4 WHERE account_id = $1", "last event's nonce"),
    (
        "UPDATE idempotency_key SET entry_id = {no_id} WHERE account_id = $1",
        "idempotency key made exists",
    ),
    (
        "UPDATE idempotency_key SET session_id = {no_id} WHERE account_id = $1",
        "idempotency key made exists",
    ),
    (
        "DELETE FROM account WHERE account_id = $1",
        "figures belong to an account",
    ),
    (
        "DELETE FROM account_state WHERE account_id = $1",
        "an account has figures",
    ),
    (
        "DELETE FROM account_directory WHERE account_id = $1",
        "found by its external id",
    ),
];

/// Creates the accounts 1 to `count`, all equal.
async fn make_accounts(scratch: &Scratch, count: i64) {
    scratch.migrate().await;
    let result: Result<(), Fault> = scratch
        .database
        .transaction(move |tx| {
            Box::pin(async move {
                for number in 1..=count {
                    rows::insert_account(tx, number).await?;
                }
                Ok(())
            })
        })
        .await;
    result.expect("inserts");
}

/// Runs each statement on the account with its number, from 1.
async fn tamper(scratch: &Scratch, tamperings: Vec<&'static str>) {
    let backend = scratch.database.backend();
    let (zeros, no_id, no_bytes) = match backend {
        DbBackend::Sqlite => ("zeroblob(32)", "zeroblob(16)", "zeroblob(0)"),
        _ => (
            "decode(repeat('00', 32), 'hex')",
            "CAST('00000000-0000-0000-0000-000000000000' AS uuid)",
            "CAST('' AS bytea)",
        ),
    };
    let done: Result<(), Fault> = scratch
        .database
        .transaction(move |tx| {
            let tamperings = tamperings.clone();
            Box::pin(async move {
                for (number, sql) in (1_i64..).zip(tamperings) {
                    let text = sql.replace("{zeros}", zeros).replace("{no_id}", no_id);
                    let text = text.replace("{no_bytes}", no_bytes);
                    let statement = Statement::from_sql_and_values(backend, text, [number.into()]);
                    let changed = tx.execute_raw(statement).await?.rows_affected();
                    assert_ne!(changed, 0, "nothing to tamper with: {sql}");
                }
                Ok(())
            })
        })
        .await;
    done.expect("tampers");
}

async fn report(scratch: &Scratch) -> VerifyReport {
    verify(&scratch.database, |_| {}).await.expect("verifies")
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_accounts_verify_and_are_counted() {
    for scratch in each_database().await {
        make_accounts(&scratch, 3).await;
        let mut last = Progress::default();
        let report = verify(&scratch.database, |progress| {
            assert!(progress.entries >= last.entries && progress.accounts >= last.accounts);
            last = progress;
        })
        .await
        .expect("verifies");
        assert_eq!(report.violations, []);
        assert!(report.is_clean());
        assert_eq!((report.accounts, report.entries), (3, 15));
        assert_eq!((last.accounts, last.accounts_in_all, last.entries), (3, 3, 15));
        assert_eq!(report.trial_balance.values().sum::<i128>(), 3 * 10);
        scratch.drop_it().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tampering_with_any_kind_of_row_is_found() {
    for scratch in each_database().await {
        // One account more than there are statements: it stays unchanged.
        let accounts = i64::try_from(TAMPERINGS.len()).expect("few") + 1;
        make_accounts(&scratch, accounts).await;
        tamper(&scratch, TAMPERINGS.iter().map(|(sql, _)| *sql).collect()).await;
        let report = report(&scratch).await;
        let mut by_account: HashMap<i64, Vec<&Violation>> = HashMap::new();
        for violation in &report.violations {
            by_account
                .entry(violation.account_id.number())
                .or_default()
                .push(violation);
        }
        for (number, (sql, promise)) in (1..).zip(TAMPERINGS) {
            let found = by_account.remove(&number).unwrap_or_default();
            assert!(
                found.iter().any(|violation| violation.what.contains(promise)),
                "{sql}\nbreaks \"{promise}\", but found was {found:#?}"
            );
        }
        assert_eq!(by_account.len(), 0, "the untouched account is sound: {by_account:#?}");
        scratch.drop_it().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_violations_are_counted_and_the_first_thousand_told() {
    for scratch in each_database().await {
        make_accounts(&scratch, 170).await;
        let sql = "UPDATE credit_entry SET hash = {zeros} WHERE account_id = $1";
        tamper(&scratch, vec![sql; 170]).await;
        let report = report(&scratch).await;
        assert_eq!(report.violation_count, 170 * 6, "five hashes and the last one");
        assert_eq!(report.violations.len(), 1_000);
        assert_eq!(
            report.violations[0].to_string(),
            format!(
                "acct_4ajfau0c0ue4c {}: an entry's hash follows from its facts and the hash before: expected {}, found {}",
                report.violations[0].row.as_deref().expect("an entry"),
                report.violations[0].expected,
                "0".repeat(64)
            )
        );
        scratch.drop_it().await;
    }
}
