//! Recomputes everything that the ledger guarantees, and reports differences.
//!
//! Called by the `verify` command, and by tests at their end. It trusts no figure. It computes sums, chains and hashes from
//! the rows, and compares every stored figure. It changes nothing.
//!
//! Each account is read in one snapshot, so that verification can run while others write. Memory does not grow with the
//! account: entries come in chunks, and the database makes the other checks and returns only violations.
//!
//! A verification since a [`Checkpoint`] leaves out the accounts that have not changed, and begins the others' chains of entries at the
//! last verified entry. All other checks of these accounts read the whole account. So it does not detect a row that was changed by hand
//! and that nothing has used since.

pub mod anchor;
mod chain;
pub mod checkpoint;
mod store;

use std::collections::BTreeMap;
use std::fmt;

use tokio::sync::mpsc;
use uuid::Uuid;

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, GlobalId};

use chain::Chain;
use checkpoint::{Checkpoint, Verified, digest};
use store::HeaderRow;
use store::statements::{CHECKS, FIGURES, GLOBAL_CHECKS, RowId, Unit};

/// Violations that are described. All are counted.
pub const MAX_DESCRIBED: usize = 1_000;
/// Entries read at once.
const ENTRIES_AT_ONCE: u64 = 2_000;
/// Account numbers read at once.
const ACCOUNTS_AT_ONCE: u64 = 500;

/// A stored value that differs from the computed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The account that contains it.
    pub account_id: AccountId,
    /// The rule that is violated.
    pub what: &'static str,
    /// The row: a public id, a number or a key; `None` for the account's own figures.
    pub row: Option<String>,
    /// The value that the rows imply.
    pub expected: String,
    /// The stored value.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            account_id,
            what,
            row,
            expected,
            found,
        } = self;
        write!(f, "{account_id}")?;
        if let Some(row) = row {
            write!(f, " {row}")?;
        }
        write!(f, ": {what}: expected {expected}, found {found}")
    }
}

/// The progress of a verification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Accounts that are verified.
    pub accounts: u64,
    /// Accounts in the database.
    pub accounts_in_all: u64,
    /// Entries that were read.
    pub entries: u64,
    /// Violations so far.
    pub violations: u64,
}

/// The result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Accounts that were checked.
    pub accounts: u64,
    /// Those of them that have not changed since the checkpoint.
    pub unchanged: u64,
    /// Entries that were checked.
    pub entries: u64,
    /// The number of all violations.
    pub violation_count: u64,
    /// The first [`MAX_DESCRIBED`] of them.
    pub violations: Vec<Violation>,
    /// Sum of all accounts' entries by contra account, in units of 1/10,000 credit.
    pub trial_balance: BTreeMap<String, i128>,
}

impl VerifyReport {
    /// Whether there are no violations.
    pub fn is_clean(&self) -> bool {
        self.violation_count == 0
    }

    fn add(&mut self, violation: Violation) {
        self.violation_count += 1;
        if self.violations.len() < MAX_DESCRIBED {
            self.violations.push(violation);
        }
    }

    fn absorb(&mut self, account: Self) {
        self.accounts += account.accounts;
        self.unchanged += account.unchanged;
        self.entries += account.entries;
        self.violation_count += account.violation_count;
        let room = MAX_DESCRIBED - self.violations.len();
        self.violations.extend(account.violations.into_iter().take(room));
        for (contra, sum) in account.trial_balance {
            *self.trial_balance.entry(contra).or_default() += sum;
        }
    }
}

/// Verifies every account. Calls `progress` from time to time, and at the end.
pub async fn verify(database: &Database, progress: impl FnMut(Progress)) -> Result<VerifyReport, Fault> {
    walk(database, None, |_, _| {}, progress).await
}

/// Returns the identity of the database; nil where no server has used it.
pub async fn identity(database: &Database) -> Result<Uuid, Fault> {
    Ok(store::epoch(database.read()).await?.unwrap_or_default())
}

/// Verifies what has changed since a checkpoint, or everything. Stores what was verified in `next`, which is empty.
pub async fn verify_since(
    database: &Database,
    since: Option<&Checkpoint>,
    next: &mut Checkpoint,
    progress: impl FnMut(Progress),
) -> Result<VerifyReport, Fault> {
    let keep = |account_id, verified| {
        next.accounts.insert(account_id, verified);
    };
    let mut report = walk(database, since, keep, progress).await?;
    let known = since.into_iter().flat_map(|since| since.accounts.keys());
    for account_id in known.filter(|id| !next.accounts.contains_key(id)) {
        report.add(Violation {
            account_id: *account_id,
            what: "an account of the checkpoint exists",
            row: None,
            expected: "1".to_owned(),
            found: "0".to_owned(),
        });
    }
    Ok(report)
}

async fn walk(
    database: &Database,
    since: Option<&Checkpoint>,
    mut keep: impl FnMut(AccountId, Verified),
    mut progress: impl FnMut(Progress),
) -> Result<VerifyReport, Fault> {
    let mut report = VerifyReport::default();
    let accounts_in_all = store::count_accounts(database.read()).await?;
    verify_directory(database, &mut report).await?;
    let mut after = AccountId::PLATFORM;
    loop {
        let ids = store::account_ids(database.read(), after, ACCOUNTS_AT_ONCE).await?;
        let Some(last) = ids.last() else { break };
        after = *last;
        for account_id in ids {
            let so_far = Progress {
                accounts: report.accounts,
                accounts_in_all,
                entries: report.entries,
                violations: report.violation_count,
            };
            let since = since.and_then(|since| since.accounts.get(&account_id).copied());
            let (account, verified) = verify_account(database, account_id, since, |entries| {
                progress(Progress {
                    entries: so_far.entries + entries,
                    ..so_far
                });
            })
            .await?;
            report.absorb(account);
            if let Some(verified) = verified {
                keep(account_id, verified);
            }
        }
    }
    progress(Progress {
        accounts: report.accounts,
        accounts_in_all,
        entries: report.entries,
        violations: report.violation_count,
    });
    Ok(report)
}

/// Verifies what concerns all accounts together and no single account's snapshot.
async fn verify_directory(database: &Database, report: &mut VerifyReport) -> Result<(), Fault> {
    let found = database
        .snapshot(|tx| {
            Box::pin(async move {
                let mut found = Vec::new();
                for check in GLOBAL_CHECKS {
                    found.push((check, store::global_violations(tx, check, MAX_DESCRIBED).await?));
                }
                Ok::<_, Fault>(found)
            })
        })
        .await?;
    for (check, rows) in found {
        report.violation_count += rows.total.saturating_sub(rows.rows.len() as u64);
        for row in rows.rows {
            report.add(Violation {
                account_id: AccountId::from_number(row.account),
                what: check.what,
                row: None,
                expected: check.unit.show(row.expected),
                found: check.unit.show(row.found),
            });
        }
    }
    Ok(())
}

/// Verifies one account. `progress` receives the number of entries read so far.
async fn verify_account(
    database: &Database,
    account_id: AccountId,
    since: Option<Verified>,
    mut progress: impl FnMut(u64),
) -> Result<(VerifyReport, Option<Verified>), Fault> {
    // The work runs in a task of its own, which cannot borrow the caller's closure. So it sends its progress
    // through a channel.
    let (sender, mut read) = mpsc::unbounded_channel();
    let work = database.snapshot(move |tx| {
        let sender = sender.clone();
        Box::pin(async move { verify_in_snapshot(tx, account_id, since, &sender).await })
    });
    tokio::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => return result,
            Some(entries) = read.recv() => progress(entries),
        }
    }
}

async fn verify_in_snapshot(
    tx: &Transaction,
    account_id: AccountId,
    since: Option<Verified>,
    progress: &mpsc::UnboundedSender<u64>,
) -> Result<(VerifyReport, Option<Verified>), Fault> {
    let mut report = VerifyReport {
        accounts: 1,
        ..VerifyReport::default()
    };
    store::take_all_the_time_needed(tx).await?;
    let Some(header) = store::header(tx, account_id).await? else {
        // The account was deleted since its number was read: there is nothing to verify.
        return Ok((VerifyReport::default(), None));
    };
    let since = match since {
        Some(since) if store::lacks(tx, account_id, &since).await? => {
            report.add(lost(account_id, &since));
            None
        }
        since => since,
    };
    if let Some(since) = since.filter(|since| since.figures == digest(&header)) {
        report.unchanged = 1;
        return Ok((report, Some(since)));
    }
    let mut chain = since.map_or_else(|| Chain::new(account_id), |since| Chain::resume(account_id, &since));
    follow_entries(tx, &mut chain, &mut report, progress).await?;
    chain.finish(&header, |violation| report.add(violation));
    check_rows(tx, &header, &mut report).await?;
    let verified = chain.verified(&header);
    Ok((report, verified))
}

fn lost(account_id: AccountId, since: &Verified) -> Violation {
    Violation {
        account_id,
        what: "the last entry of the checkpoint is there, unchanged",
        row: None,
        expected: since.sequence.to_string(),
        found: "another one, or none".to_owned(),
    }
}

/// Follows the chain to the last entry.
async fn follow_entries(
    tx: &Transaction,
    chain: &mut Chain,
    report: &mut VerifyReport,
    progress: &mpsc::UnboundedSender<u64>,
) -> Result<(), Fault> {
    loop {
        let entries = store::entries(tx, chain.account_id(), chain.sequence(), ENTRIES_AT_ONCE).await?;
        let Some(last) = entries.last() else { return Ok(()) };
        let last_sequence = last.sequence;
        for entry in &entries {
            chain.follow(entry, |violation| report.add(violation));
        }
        report.entries += entries.len() as u64;
        // The receiver may be gone already.
        let _ = progress.send(report.entries);
        debug_assert_eq!(chain.sequence(), last_sequence);
    }
}

/// Makes the checks that the database computes.
async fn check_rows(tx: &Transaction, header: &HeaderRow, report: &mut VerifyReport) -> Result<(), Fault> {
    let account_id = AccountId::from_number(header.account_id);
    for figure in FIGURES {
        let computed = store::figure(tx, account_id, figure.sql).await?;
        let stored = (figure.stored)(header);
        if computed != stored {
            report.add(Violation {
                account_id,
                what: figure.what,
                row: None,
                expected: figure.unit.show(computed),
                found: figure.unit.show(stored),
            });
        }
    }
    for check in CHECKS {
        let found = store::violations(tx, account_id, check, MAX_DESCRIBED).await?;
        report.violation_count += found.total.saturating_sub(found.rows.len() as u64);
        for (row, expected, found) in found.rows {
            report.add(Violation {
                account_id,
                what: check.what,
                row: Some(describe_row(account_id, &row)),
                expected: check.unit.show(expected),
                found: check.unit.show(found),
            });
        }
    }
    for (contra, sum) in store::trial_balance(tx, account_id).await? {
        report.trial_balance.insert(contra, i128::from(sum));
    }
    let balance: i128 = report.trial_balance.values().sum();
    if balance != i128::from(header.posted) {
        report.add(Violation {
            account_id,
            what: "the contra accounts together hold what was posted",
            row: None,
            expected: Unit::Credits.show(header.posted),
            found: Unit::Credits.show(i64::try_from(balance).unwrap_or(i64::MAX)),
        });
    }
    Ok(())
}

fn describe_row(account_id: AccountId, row: &store::Key) -> String {
    match row {
        store::Key::Uuid(RowId::Public(kind), uuid) => GlobalId::new(*kind, account_id, *uuid).to_string(),
        store::Key::Uuid(_, uuid) => uuid.to_string(),
        store::Key::Text(text) => text.clone(),
        store::Key::Number(number) => number.to_string(),
    }
}

impl Unit {
    fn show(self, number: i64) -> String {
        match self {
            Self::Credits => format!("{} credits", Credits::from_units(number)),
            Self::Count => number.to_string(),
        }
    }
}
