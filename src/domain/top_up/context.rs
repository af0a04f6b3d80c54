//! What every use case of this module uses, and its transactions on an account.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::domain::database::{Database, MayFault, Transaction};
use crate::domain::fault::Fault;
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::primitives::actor::AccessError;
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::ids::{AccountId, IdMint, IdSeed, IdSeeds};
use crate::primitives::money::Currency;

use super::gateway::PaymentGateway;
use super::model::AutoTopUp;
use super::store;

/// What every use case of this module uses. Clones share everything.
#[derive(Clone)]
pub struct TopUpContext {
    pub(super) clock: Clock,
    pub(super) database: Database,
    pub(super) ledger: Ledger,
    pub(super) gateway: Arc<dyn PaymentGateway>,
    seeds: IdSeeds,
}

impl TopUpContext {
    /// Creates a context for top-ups that are stored in `database` and charged through `gateway`.
    pub fn new(clock: Clock, database: Database, ledger: Ledger, gateway: Arc<dyn PaymentGateway>) -> Self {
        Self {
            clock,
            database,
            ledger,
            gateway,
            seeds: IdSeeds::random(),
        }
    }

    /// Returns the same context with ids from these seeds.
    #[must_use]
    pub fn with_seeds(self, seeds: IdSeeds) -> Self {
        Self { seeds, ..self }
    }

    /// Runs `work` in a transaction with the account's lock. Writes the account's figures at the end, and notifies the
    /// subscribers of the account after the commit.
    ///
    /// It may run `work` several times. `work` never calls the gateway: a slow gateway would keep the lock.
    pub(super) async fn transact<T, E, F>(&self, account_id: AccountId, work: F) -> Result<T, E>
    where
        F: for<'a, 't> Fn(&'a mut AccountTransaction<'t>) -> AccountWork<'a, T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: MayFault + From<AccessError> + Send + 'static,
    {
        let context = self.clone();
        let work = Arc::new(work);
        self.ledger
            .change(account_id, move |tx, locked| {
                let (context, work) = (context.clone(), Arc::clone(&work));
                Box::pin(async move {
                    let mut account = context.at(tx, locked);
                    work(&mut account).await
                })
            })
            .await
    }

    /// Returns a transaction on the account within an existing transaction that has the account's lock.
    pub(super) fn at<'t>(&self, tx: &'t Transaction, locked: &'t mut LockedAccount) -> AccountTransaction<'t> {
        let (account_id, now) = (locked.header.account_id, locked.now);
        AccountTransaction {
            tx,
            account_id,
            now,
            locked,
            ids: IdMint::new(self.seeds.next_seed(), now),
            seeds: self.seeds.clone(),
            gateway: Arc::clone(&self.gateway),
        }
    }
}

impl std::fmt::Debug for TopUpContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopUpContext")
            .field("gateway", &self.gateway.name())
            .finish_non_exhaustive()
    }
}

/// The boxed future that the work on an account returns.
pub(super) type AccountWork<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// A transaction on one account, under its lock.
pub(super) struct AccountTransaction<'t> {
    pub(super) tx: &'t Transaction,
    pub(super) account_id: AccountId,
    /// The current time; never before the account's last time.
    pub(super) now: Timestamp,
    pub(super) locked: &'t mut LockedAccount,
    pub(super) ids: IdMint,
    seeds: IdSeeds,
    gateway: Arc<dyn PaymentGateway>,
}

impl AccountTransaction<'_> {
    /// Returns the name of the gateway. It is not called here.
    pub(super) fn gateway_name(&self) -> &'static str {
        self.gateway.name()
    }

    /// Returns a seed for a ledger command.
    pub(super) fn seed(&self) -> IdSeed {
        self.seeds.next_seed()
    }

    /// Returns the smallest amount that the gateway charges, in minor units.
    pub(super) fn minimum(&self, currency: Currency) -> i64 {
        self.gateway.minimum(currency)
    }

    /// Returns the account's rule; a default rule if none was set.
    pub(super) async fn rule(&self) -> Result<AutoTopUp, Fault> {
        let found = store::find_rule(self.tx, self.account_id).await?;
        Ok(found.unwrap_or_else(|| AutoTopUp::new(self.account_id, self.now)))
    }

    /// Writes a changed rule, and sets the level that the ledger watches for it.
    pub(super) async fn keep_rule(&mut self, before: &AutoTopUp, after: &AutoTopUp) -> Result<(), Fault> {
        if before == after {
            return Ok(());
        }
        store::save_rule(self.tx, after).await?;
        if before.watched_level() != after.watched_level() {
            self.locked.watch(after.watched_level());
        }
        if before.version != after.version {
            self.locked.append_account_updated(self.tx).await?;
        }
        Ok(())
    }
}
