//! One transaction of commands: lock, load, decide, write.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::domain::ledger::balance::Posted;
use crate::domain::ledger::error::LedgerError;
use crate::domain::ledger::model::{AccountHeader, AccountState, Command, Decision, Policy, Refusal, Request};
use crate::domain::ledger::movements::Movement;
use crate::domain::ledger::store::{self, Work};
use crate::primitives::actor::AccessError;
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::ids::AccountId;

/// The signature of the pure core; tests replace it by one that panics.
pub(in crate::domain::ledger) type Decide =
    fn(&AccountState, &Request, Timestamp, &Policy) -> Result<Decision, Refusal>;

/// The dependencies of posting.
#[derive(Debug)]
pub(in crate::domain::ledger) struct Poster {
    pub database: Database,
    pub clock: Clock,
    /// The identity of the installation, a part of live cursors.
    pub epoch: Uuid,
    pub policy: Policy,
    pub decide: Decide,
}

/// Commands of one account, in order.
#[derive(Clone, Debug)]
pub(in crate::domain::ledger) struct AccountRequests {
    pub account_id: AccountId,
    pub requests: Vec<Arc<Request>>,
}

/// The results of one account's commands, in the same order.
#[derive(Debug)]
pub(in crate::domain::ledger) struct AccountOutcome {
    pub account_id: AccountId,
    pub results: Vec<Result<Posted, LedgerError>>,
    /// The number of the account's last event, if the batch appended any.
    pub event_sequence: Option<i64>,
    /// Movements of credits and money, for the log.
    pub movements: Vec<Movement>,
}

impl Poster {
    /// Posts commands in a transaction of their own, and returns when it is committed. A fault means that nothing is written.
    /// If the connection broke at the commit, the result is unknown.
    pub(super) async fn post(&self, batch: Arc<Vec<AccountRequests>>) -> Result<Vec<AccountOutcome>, Fault> {
        let run = self.run();
        self.database
            .transaction(move |tx| {
                let (batch, run) = (Arc::clone(&batch), run.clone());
                Box::pin(async move { run.batch(tx, &batch).await })
            })
            .await
    }

    fn run(&self) -> Run {
        Run {
            clock: self.clock.clone(),
            epoch: self.epoch,
            policy: self.policy,
            decide: self.decide,
        }
    }
}

/// Locks accounts and reads the figures and the time of each, in the order of their ids. Accounts that do not exist are
/// left out.
pub(in crate::domain::ledger) async fn begin(
    tx: &Transaction,
    accounts: &[AccountId],
    clock: &Clock,
) -> Result<Vec<(AccountHeader, Timestamp)>, Fault> {
    let headers = store::lock(tx, accounts).await?;
    // The time is read under the lock; otherwise an account's time could run backwards.
    let now = clock.now();
    let begun = headers.into_iter().map(|header| {
        let now = now.max(header.last_at);
        (header, now)
    });
    Ok(begun.collect())
}

/// Posts one command in the caller's transaction, to an account that the caller has locked. Updates `header`, and adds to
/// `movements`.
pub(in crate::domain::ledger) async fn post_one(
    poster: &Poster,
    tx: &Transaction,
    (header, movements): (&mut AccountHeader, &mut Vec<Movement>),
    now: Timestamp,
    request: Request,
) -> Result<Result<Posted, Refusal>, Fault> {
    let mut works = [Work::new(header.clone(), vec![Arc::new(request)], now)];
    store::load(tx, &mut works).await?;
    let result = poster.run().fold(&mut works[0]).pop();
    store::write(tx, &mut works).await?;
    let [work] = works;
    movements.extend(work.changes.entries.iter().map(Movement::from));
    *header = work.state.header;
    match result {
        Some(Ok(answer)) => Ok(Ok(answer)),
        Some(Err(LedgerError::Refused(refusal))) => Ok(Err(refusal)),
        Some(Err(LedgerError::Fault(fault))) => Err(fault),
        other => Err(Fault::Internal(format!("one command came to {other:?}"))),
    }
}

/// The part of a poster that moves into the task of a transaction.
#[derive(Clone)]
struct Run {
    clock: Clock,
    epoch: Uuid,
    policy: Policy,
    decide: Decide,
}

impl Run {
    async fn batch(&self, tx: &Transaction, batch: &[AccountRequests]) -> Result<Vec<AccountOutcome>, Fault> {
        let accounts: Vec<AccountId> = batch.iter().map(|part| part.account_id).collect();
        let headers = store::lock(tx, &accounts).await?;
        let now = self.clock.now();
        let mut works: Vec<Work> = headers
            .into_iter()
            .filter_map(|header| {
                let part = batch.iter().find(|part| part.account_id == header.account_id)?;
                Some(Work::new(header, part.requests.clone(), now))
            })
            .collect();
        store::load(tx, &mut works).await?;
        let mut results: Vec<_> = works.iter_mut().map(|work| self.fold(work)).collect();
        store::write(tx, &mut works).await?;
        let found = |account_id| works.binary_search_by_key(&account_id, |work| work.state.header.account_id);
        let outcomes = batch.iter().map(|part| match found(part.account_id) {
            Ok(at) => AccountOutcome {
                account_id: part.account_id,
                results: std::mem::take(&mut results[at]),
                event_sequence: works[at].changes.events.last().map(|event| event.position.sequence),
                movements: works[at].changes.entries.iter().map(Movement::from).collect(),
            },
            Err(_) => AccountOutcome {
                account_id: part.account_id,
                results: part
                    .requests
                    .iter()
                    .map(|_| Err(AccessError::NotFound.into()))
                    .collect(),
                event_sequence: None,
                movements: Vec::new(),
            },
        });
        Ok(outcomes.collect())
    }

    /// Decides an account's commands one after another, each on the state after the ones before.
    fn fold(&self, work: &mut Work) -> Vec<Result<Posted, LedgerError>> {
        let requests = std::mem::take(&mut work.requests);
        requests.iter().map(|request| self.step(work, request)).collect()
    }

    fn step(&self, work: &mut Work, request: &Request) -> Result<Posted, LedgerError> {
        // The core borrows the state and makes its own copies, so the state is unchanged after a panic.
        let decided = catch_unwind(AssertUnwindSafe(|| {
            (self.decide)(&work.state, request, work.now, &self.policy)
        }));
        let decision = decided.map_err(|panic| {
            let reason = reason_of(panic.as_ref());
            tracing::error!(operation = request.command.operation(), reason, "the core panicked");
            Fault::Internal(format!("{} panicked: {reason}", request.command.operation()))
        })??;
        let posted = Posted::new(
            &decision.header,
            decision.outcome,
            &decision.entries,
            decision.replayed,
            self.epoch,
        );
        if !decision.replayed {
            work.changes.swept |= request.command == Command::Sweep;
            work.accept(decision);
        }
        Ok(posted)
    }
}

fn reason_of(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("for no stated reason")
}

impl Work {
    fn accept(&mut self, decision: Decision) {
        self.state.apply(&decision);
        let changes = &mut self.changes;
        changes.accepted = true;
        changes.lots.extend(decision.lots.into_keys());
        changes.sessions.extend(decision.sessions.into_keys());
        changes.past_entries.extend(decision.past_entries.into_keys());
        changes.top_up_holds.extend(decision.top_up_holds.into_keys());
        changes.hold_movements.extend(decision.hold_movements);
        changes.entries.extend(decision.entries);
        changes.events.extend(decision.events);
        changes.keys.extend(decision.key);
        changes.shift_expiries_by = changes.shift_expiries_by.or(decision.shift_expiries_by);
    }
}
