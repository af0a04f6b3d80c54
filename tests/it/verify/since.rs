//! A verification since a checkpoint reads what has changed, and trusts no file that it did not sign.

use std::path::Path;
use std::process::Output;
use std::time::Instant;

use ledgerbell::domain::ledger::verify::checkpoint::{Checkpoint, CheckpointKey, InvalidCheckpoint};
use ledgerbell::domain::ledger::verify::{VerifyReport, verify_since};
use ledgerbell::primitives::clock::Timestamp;
use uuid::Uuid;

use super::{make_accounts, tamper};
use crate::cli::executable;
use crate::harness::TestApp;
use crate::scratch::{Scratch, each_database};

const AT: Timestamp = Timestamp::from_millis(5);

async fn run(scratch: &Scratch, since: Option<&Checkpoint>) -> (VerifyReport, Checkpoint) {
    let mut next = Checkpoint::new(Uuid::nil(), AT);
    let report = verify_since(&scratch.database, since, &mut next, |_| {}).await;
    (report.expect("verifies"), next)
}

fn complaints(report: &VerifyReport) -> Vec<(i64, &'static str)> {
    let found = report.violations.iter();
    found.map(|one| (one.account_id.number(), one.what)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_have_not_changed_are_left_out_and_chains_continue() {
    for scratch in each_database().await {
        make_accounts(&scratch, 4).await;
        let (whole, first) = run(&scratch, None).await;
        assert!(whole.is_clean(), "{:?}", whole.violations);
        assert_eq!((whole.unchanged, whole.entries), (0, 20));
        let (again, second) = run(&scratch, Some(&first)).await;
        assert_eq!((again.unchanged, again.entries, again.is_clean()), (4, 0, true));
        assert_eq!(second, first);

        // An account that was used: its rows are checked, and its old entries are not read again.
        tamper(
            &scratch,
            vec!["UPDATE account_state SET last_at = last_at + 1 WHERE account_id = $1"],
        )
        .await;
        let (changed, third) = run(&scratch, Some(&first)).await;
        assert_eq!((changed.unchanged, changed.entries, changed.is_clean()), (3, 0, true));
        assert_ne!(third, first);
        scratch.drop_it().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_breaks_the_ledger_is_found_since_a_checkpoint() {
    for scratch in each_database().await {
        make_accounts(&scratch, 5).await;
        let (_, first) = run(&scratch, None).await;
        tamper(
            &scratch,
            vec![
                "UPDATE account_state SET posted = posted + 1 WHERE account_id = $1",
                "UPDATE credit_entry SET hash = {zeros} WHERE account_id = $1 AND sequence = 5",
                "DELETE FROM credit_entry WHERE account_id = $1 AND sequence = 5",
                "UPDATE account_state SET event_sequence = 6 WHERE account_id = $1",
            ],
        )
        .await;
        let (report, _) = run(&scratch, Some(&first)).await;
        let found = complaints(&report);
        for expected in [
            (1, "posted is the balance after the last entry"),
            (2, "the last entry of the checkpoint is there, unchanged"),
            (2, "an entry's hash follows from its facts and the hash before"),
            (3, "the last entry of the checkpoint is there, unchanged"),
            (
                4,
                "events are numbered from the first that is kept to the account's event sequence: the last number",
            ),
        ] {
            assert!(found.contains(&expected), "{expected:?} in {found:?}");
        }
        assert!(!found.iter().any(|(account, _)| *account == 5));
        scratch.drop_it().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_gone_is_found_since_a_checkpoint() {
    for scratch in each_database().await {
        make_accounts(&scratch, 2).await;
        let (_, first) = run(&scratch, None).await;
        tamper(&scratch, vec!["DELETE FROM account_state WHERE account_id = $1"]).await;
        let (report, _) = run(&scratch, Some(&first)).await;
        assert!(complaints(&report).contains(&(1, "an account of the checkpoint exists")));
        scratch.drop_it().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_read_as_it_was_written_and_no_other_way() {
    let scratch = each_database().await.remove(0);
    make_accounts(&scratch, 3).await;
    let (_, checkpoint) = run(&scratch, None).await;
    let key = CheckpointKey::derive(b"a secret");
    let text = checkpoint.to_text(&key);
    let read = |text: &str| Checkpoint::of_text(text, &key, Uuid::nil());
    assert_eq!(read(&text), Ok(checkpoint));
    let other = Checkpoint::of_text(&text, &key, Uuid::from_u128(1));
    assert_eq!(other, Err(InvalidCheckpoint::OtherDatabase));
    let other = Checkpoint::of_text(&text, &CheckpointKey::derive(b"another"), Uuid::nil());
    assert_eq!(other, Err(InvalidCheckpoint::Signature));

    let mut lines: Vec<&str> = text.lines().collect();
    lines.remove(1);
    let without_an_account = lines.join("\n") + "\n";
    for changed in [
        String::new(),
        "\n".to_owned(),
        without_an_account,
        text.replacen('5', "6", 1),
        format!("{text}{text}"),
        text.trim_end().to_owned(),
        text[..text.len() / 2].to_owned(),
    ] {
        assert_eq!(read(&changed), Err(InvalidCheckpoint::Signature), "{changed}");
    }
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] ^= 1;
        assert!(read(&String::from_utf8(changed).expect("ASCII")).is_err(), "byte {at}");
    }
    scratch.drop_it().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_writes_checkpoints_and_refuses_one_that_was_changed() {
    let app = TestApp::start().await;
    app.top_up(10).await;
    let checkpoint = app.data_dir().join("checkpoint");
    let path = checkpoint.to_str().expect("text");
    let (directory, url) = (app.data_dir().to_owned(), app.database_url().to_owned());
    let verify = |arguments: &[&str]| -> Output {
        let mut command = executable(&directory, &url);
        command.arg("verify").args(arguments).output().expect("it runs")
    };
    let printed = |output: Output| {
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let both = ["--since", path, "--write-checkpoint", path];
    assert!(complaint(&verify(&both)).contains("cannot use the checkpoint"));
    printed(verify(&["--write-checkpoint", path]));
    let again = printed(verify(&both));
    assert!(
        again.contains("1 accounts have not changed since the checkpoint"),
        "{again}"
    );
    app.top_up(5).await;
    let changed = printed(verify(&both));
    assert!(
        changed.contains("\n1 entries of 1 accounts checked, 0 violations\n0 accounts have not"),
        "{changed}"
    );

    let text = std::fs::read_to_string(Path::new(path)).expect("the checkpoint");
    std::fs::write(path, text.replacen('1', "2", 1)).expect("written");
    assert!(complaint(&verify(&["--since", path])).contains("it was changed"));
}

fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Prints times. To be run alone: `cargo test --test it verify::since::what -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_a_verification_since_a_checkpoint_costs() {
    const ACCOUNTS: i64 = 40_000;
    const CHANGED: i64 = 400;
    for scratch in each_database().await {
        make_accounts(&scratch, ACCOUNTS).await;
        let began = Instant::now();
        let (report, checkpoint) = run(&scratch, None).await;
        let whole = began.elapsed();
        let change = format!("UPDATE account_state SET last_at = last_at + 1 WHERE account_id <= {CHANGED} AND $1 > 0");
        tamper(&scratch, vec![change.leak()]).await;
        let began = Instant::now();
        let (since, _) = run(&scratch, Some(&checkpoint)).await;
        let part = began.elapsed();
        assert!(report.is_clean() && since.is_clean());
        println!(
            "{:?}: {} entries of {ACCOUNTS} accounts in {whole:?}; {} changed accounts since then in {part:?}",
            scratch.database.backend(),
            report.entries,
            ACCOUNTS.unsigned_abs() - since.unchanged,
        );
        scratch.drop_it().await;
    }
}
