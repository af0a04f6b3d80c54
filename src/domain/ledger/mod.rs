//! Credits: the pure core, the posting engine, the credit log, sessions and lots.
//!
//! [`Ledger`] is the only way to change an account's credits. A use case checks the actor and the input, and passes a
//! [`model::Command`] to the posting engine, which answers once it is committed. A use case of another module may change
//! rows of its own together with credits, such as a top-up that is credited. It calls [`Ledger::change`], which locks the
//! account, and posts inside that transaction.
//!
//! Invariants:
//! - The first statement of every transaction that changes anything of an account locks the account's row in
//!   `account_state`. No other row is locked. A transaction that locks several accounts locks them in the order of their
//!   ids.
//! - Only [`model::decide`] decides about credits, and it sees only what is read under that lock.
//! - All effects of a command are in one transaction. Nothing is answered or announced before its commit.
//! - The engine's queue is never awaited inside a transaction.

mod balance;
pub mod credit_log;
mod engine;
mod error;
mod export_uses;
mod input;
mod locked;
pub mod lots;
mod movements;
mod old_events;
mod old_keys;
pub mod sessions;
mod short;
mod store;
pub mod verify;

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::domain::database::{Database, Transaction};
use crate::domain::event::Bell;
use crate::domain::fault::Fault;
use crate::primitives::actor::{Actor, Cause};
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::histogram::HistogramTotals;
use crate::primitives::ids::{AccountId, IdSeed, MemberId};
use crate::primitives::trace;

use engine::{Engine, Poster};
use model::{AccountHeader, Command, Origin, Policy, Refusal, Request};

pub use balance::{Balance, Posted};
pub use engine::{EngineSettings, PostingTotals};
pub use error::LedgerError;
pub use ledgerbell_core::ledger as model;
pub use locked::LockedAccount;
pub(in crate::domain) use movements::Movement;
pub use short::ShortAccounts;
pub use store::bring_search_up_to_date;
pub(in crate::domain) use store::{EventReader, KeyPosition, begin_following, mark_read, unchecked_accounts};

/// Settings of the ledger.
#[derive(Clone, Copy, Debug)]
pub struct LedgerSettings {
    /// Bounds of the posting engine.
    pub engine: EngineSettings,
    /// The operator's limits on commands.
    pub policy: Policy,
}

/// The credits of all accounts. Clones share the engine.
#[derive(Clone)]
pub struct Ledger {
    poster: Arc<Poster>,
    engine: Arc<Engine>,
    bell: Arc<dyn Bell>,
    short: Arc<ShortAccounts>,
    accounts_per_transaction: usize,
}

impl Ledger {
    /// Starts the posting engine. `epoch` is the installation's. `bell` is called after every commit.
    pub fn start(database: Database, clock: Clock, epoch: Uuid, settings: LedgerSettings, bell: Arc<dyn Bell>) -> Self {
        let poster = Poster {
            database,
            clock,
            epoch,
            policy: settings.policy,
            decide: model::decide,
        };
        Self::with(Arc::new(poster), settings.engine, bell)
    }

    fn with(poster: Arc<Poster>, settings: EngineSettings, bell: Arc<dyn Bell>) -> Self {
        let engine = Arc::new(Engine::start(&poster, &bell, settings));
        Self {
            poster,
            engine,
            bell,
            short: Arc::default(),
            accounts_per_transaction: settings.accounts_per_transaction,
        }
    }

    /// Executes a command about sessions, grants or corrections, once for each key of the account. `acting` is the member on
    /// whose behalf an API key acts.
    pub async fn post(
        &self,
        actor: &Actor,
        account_id: AccountId,
        acting: Option<MemberId>,
        key: String,
        command: Command,
    ) -> Result<Posted, LedgerError> {
        input::authorise(actor, account_id, &command)?;
        let request = request(actor, acting, Some(key), command)?;
        let mut posted = self.engine.post(account_id, request.clone()).await;
        for _ in 0..MOST_RELEASES {
            if !is_short(&posted) || !self.release_due_holds(account_id).await? {
                break;
            }
            posted = self.engine.post(account_id, request.clone()).await;
        }
        self.note_if_short(account_id, &posted);
        posted
    }

    /// Releases holds whose time is up, as many as one command processes, and returns whether there were any. A command may have
    /// been refused for insufficient credits only because more holds were due than it processes.
    async fn release_due_holds(&self, account_id: AccountId) -> Result<bool, Fault> {
        let headers = store::headers(self.poster.database.read(), &[account_id]).await?;
        let now = self.poster.clock.now();
        let is_due = headers
            .get(&account_id)
            .is_some_and(|header| header.halted_at.is_none() && header.next_hold_expiry_at.is_some_and(|at| at <= now));
        if !is_due {
            return Ok(false);
        }
        let sweep = Request {
            command: Command::Sweep,
            key: None,
            cause: Cause::System,
            seed: IdSeed::random(),
        };
        match self.engine.post(account_id, sweep).await {
            Ok(_) => Ok(true),
            // The refusal stays: the sweeper comes later.
            Err(_) => Ok(false),
        }
    }

    /// Executes commands of one account in order, each with its own key and its own result.
    pub async fn post_all(
        &self,
        actor: &Actor,
        account_id: AccountId,
        acting: Option<MemberId>,
        items: Vec<(String, Command)>,
    ) -> Result<Vec<Result<Posted, LedgerError>>, LedgerError> {
        let mut accepted = Vec::with_capacity(items.len());
        let mut refused = Vec::with_capacity(items.len());
        for (key, command) in items {
            input::authorise(actor, account_id, &command)?;
            match request(actor, acting, Some(key), command) {
                Ok(request) => {
                    accepted.push(request);
                    refused.push(None);
                }
                Err(refusal) => refused.push(Some(refusal)),
            }
        }
        let mut posted = self.engine.post_all(account_id, accepted.clone()).await?;
        for _ in 0..MOST_RELEASES {
            if !posted.iter().any(is_short) || !self.release_due_holds(account_id).await? {
                break;
            }
            // A command that was accepted before is answered again by its key.
            posted = self.engine.post_all(account_id, accepted.clone()).await?;
        }
        let mut posted = posted.into_iter();
        let missing = || Err(Fault::Internal("a command of a list was not answered".to_owned()).into());
        let results = refused.into_iter().map(|refusal| match refusal {
            Some(refusal) => Err(refusal.into()),
            None => posted.next().unwrap_or_else(missing),
        });
        let results: Vec<_> = results.collect();
        for result in &results {
            self.note_if_short(account_id, result);
        }
        Ok(results)
    }

    /// Wakes the workers of all processes, for work that is no event of an account.
    pub fn wake_workers(&self) {
        self.bell.ring(AccountId::PLATFORM, 0);
    }

    fn note_if_short(&self, account_id: AccountId, result: &Result<Posted, LedgerError>) {
        if is_short(result) {
            self.short.add(account_id);
            self.poster.database.wake().wake();
        }
    }

    /// How many accounts one transaction may lock.
    pub fn accounts_per_transaction(&self) -> usize {
        self.accounts_per_transaction
    }

    /// Returns what the posting engine of this process has posted.
    pub fn totals(&self) -> PostingTotals {
        self.engine.totals()
    }

    /// Returns how many commands the batches of this process had.
    pub fn batch_sizes(&self) -> HistogramTotals {
        self.engine.batch_sizes()
    }

    /// Accounts in which a command was refused for insufficient credits.
    pub fn short_accounts(&self) -> &ShortAccounts {
        &self.short
    }

    /// Returns up to `limit` accounts whose available credits have fallen to the watched level and were not checked since.
    pub async fn low_accounts(&self, limit: u32) -> Result<Vec<AccountId>, Fault> {
        store::low_accounts(self.poster.database.read(), self.poster.clock.now(), limit).await
    }

    /// Returns up to `limit` accounts with unread events, the longest unread first.
    pub async fn unread_accounts(&self, limit: u32) -> Result<Vec<AccountId>, Fault> {
        store::unread_accounts(self.poster.database.read(), limit).await
    }

    /// Refuses all new commands in an account. Facts are still recorded, and nothing expires meanwhile.
    pub async fn freeze_account(
        &self,
        actor: &Actor,
        account_id: AccountId,
        reason: String,
    ) -> Result<Posted, LedgerError> {
        self.change_status(actor, account_id, Command::Freeze { reason }).await
    }

    /// Ends a freeze.
    pub async fn unfreeze_account(&self, actor: &Actor, account_id: AccountId) -> Result<Posted, LedgerError> {
        self.change_status(actor, account_id, Command::Unfreeze).await
    }

    /// Refuses all new commands in an account forever, and cancels its bookings.
    pub async fn close_account(
        &self,
        actor: &Actor,
        account_id: AccountId,
        reason: String,
    ) -> Result<Posted, LedgerError> {
        self.change_status(actor, account_id, Command::Close { reason }).await
    }

    /// Returns balances as of the last commit. Accounts that do not exist are left out. The caller has checked who may see
    /// them.
    pub async fn balances(&self, accounts: &[AccountId]) -> Result<HashMap<AccountId, Balance>, Fault> {
        if accounts.is_empty() {
            return Ok(HashMap::new());
        }
        let headers = store::headers(self.poster.database.read(), accounts).await?;
        Ok(headers
            .iter()
            .map(|(id, header)| (*id, Balance::from(header)))
            .collect())
    }

    /// Processes what is due in up to `limit` accounts: expires lots and holds, announces sessions that have ended. Returns
    /// the number of accounts that it processed.
    pub async fn sweep(&self, limit: u32) -> Result<usize, Fault> {
        let now = self.poster.clock.now();
        let due = store::due_accounts(self.poster.database.read(), now, limit).await?;
        let posts = due.iter().map(|account_id| {
            let request = Request {
                command: Command::Sweep,
                key: None,
                cause: Cause::System,
                seed: IdSeed::random(),
            };
            let post = self.engine.post(*account_id, request);
            post.instrument(trace::job("sweep", None))
        });
        let mut served = 0;
        for (account_id, result) in due.iter().zip(join_all(posts).await) {
            match result {
                Ok(_) => served += 1,
                // Its own commands process what is due as well, and the sweeper comes back.
                Err(LedgerError::Busy { .. }) => {}
                Err(error) => tracing::error!(account = account_id.number(), %error, "an account was not swept"),
            }
        }
        Ok(served)
    }

    /// Writes the figures of an account that the caller's transaction creates.
    pub async fn create_state(
        &self,
        tx: &Transaction,
        account_id: AccountId,
        session_grace_millis: i64,
        now: Timestamp,
    ) -> Result<(), Fault> {
        store::insert_header(tx, &AccountHeader::new(account_id, session_grace_millis, now)).await
    }

    /// Accepts no more commands, executes those that wait, and returns when they are answered.
    pub async fn shutdown(&self) {
        self.engine.shutdown().await;
    }

    async fn change_status(
        &self,
        actor: &Actor,
        account_id: AccountId,
        command: Command,
    ) -> Result<Posted, LedgerError> {
        input::authorise(actor, account_id, &command)?;
        let request = request(actor, None, None, command)?;
        self.engine.post(account_id, request).await
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("poster", &self.poster)
            .finish_non_exhaustive()
    }
}

/// How often due holds are released, [`model::MAX_DUE`] at a time, before a command is refused for insufficient
/// credits.
const MOST_RELEASES: usize = 20;

/// Whether a command was refused for insufficient credits.
fn is_short(result: &Result<Posted, LedgerError>) -> bool {
    matches!(result, Err(LedgerError::Refused(Refusal::InsufficientCredits { .. })))
}

/// Returns an account's figures as the transaction sees them, without their lock.
pub(in crate::domain) async fn figures(
    tx: &Transaction,
    account_id: AccountId,
) -> Result<Option<model::AccountHeader>, Fault> {
    Ok(store::headers(tx, &[account_id]).await?.remove(&account_id))
}

/// Refuses an idempotency key that could not be stored or compared.
pub fn check_key(key: &str) -> Result<(), Refusal> {
    input::check_key(key)
}

/// Refuses a human-readable text that is empty, too long, or contains control characters.
pub fn check_description(field: &'static str, text: &str) -> Result<(), Refusal> {
    input::check_description(field, text)
}

fn request(actor: &Actor, acting: Option<MemberId>, key: Option<String>, command: Command) -> Result<Request, Refusal> {
    if let Some(key) = &key {
        input::check_key(key)?;
    }
    input::check_texts(&command)?;
    Ok(Request {
        command,
        key: key.map(|key| (Origin::of(actor), key)),
        cause: actor.cause(acting),
        seed: IdSeed::random(),
    })
}
