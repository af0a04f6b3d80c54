//! Charges top-ups: any number of workers process the rows of attempts.
//!
//! Scheduled attempts are found without a lock. A worker claims an attempt with a lease, under the account's lock. The request
//! is stored before it is sent; it is sent outside any transaction; the response is stored under the lock. So a worker may die
//! at any point, and two workers may process the same attempt: nothing is lost or done twice.

use futures_util::StreamExt as _;
use futures_util::stream;
use tracing::Instrument as _;

use crate::domain::fault::{Fault, QueryError};
use crate::primitives::ids::{AccountId, TopUpAttemptId, TopUpId};
use crate::primitives::trace;

use super::context::{AccountTransaction, TopUpContext};
use super::gateway::{Charge, Confirmation, GatewayError, NewCharge};
use super::model::{GatewayRequest, Purchase};
use super::store;

/// The number of attempts that one worker processes concurrently.
const AT_ONCE: usize = 8;
/// The maximum number of consecutive requests for one attempt: to create the object, to charge it, and a few more.
const ERRANDS: usize = 6;

/// Processes attempts.
#[derive(Clone, Debug)]
pub struct Charging {
    context: TopUpContext,
}

/// A request to the gateway, with its parameters.
#[derive(Clone, Debug)]
struct Task {
    request: GatewayRequest,
    attempt_id: TopUpAttemptId,
    object_id: Option<String>,
    new: NewCharge,
    is_automatic: bool,
}

/// The response of the gateway.
#[derive(Clone, Debug)]
enum Reply {
    Created(Charge),
    Is(Charge),
    Unanswered,
    Refused(super::model::FailureCode),
}

impl Charging {
    /// Creates the worker.
    pub fn new(context: TopUpContext) -> Self {
        Self { context }
    }

    /// Processes up to `limit` attempts whose time has come. Returns the number of attempts that it found.
    pub async fn turn(&self, limit: u32) -> Result<usize, Fault> {
        let now = self.context.clock.now();
        let due = store::due_attempts(&self.context.database, now, limit).await?;
        let found = due.len();
        stream::iter(due)
            .for_each_concurrent(AT_ONCE, async |(account_id, top_up_id, origin)| {
                let span = trace::job("charge", origin.as_deref());
                if let Err(fault) = self.work(account_id, top_up_id).instrument(span).await {
                    tracing::warn!(top_up = %top_up_id.global(account_id), %fault, "an attempt was not continued");
                }
            })
            .await;
        Ok(found)
    }

    /// Processes the open attempt of a top-up, if its time has come and no other worker has it.
    pub async fn work(&self, account_id: AccountId, top_up_id: TopUpId) -> Result<(), Fault> {
        for _ in 0..ERRANDS {
            let Some(task) = self.claim(account_id, top_up_id).await? else {
                return Ok(());
            };
            let reply = self.ask(&task).await;
            self.take_in(account_id, top_up_id, task, reply).await?;
        }
        Ok(())
    }

    /// Reads an object at the gateway and stores its state, whatever caused the read.
    pub async fn look_at(
        &self,
        account_id: AccountId,
        top_up_id: TopUpId,
        object_id: &str,
    ) -> Result<(), GatewayFault> {
        let charge = self.context.gateway.read_charge(object_id.to_owned()).await?;
        self.settle(account_id, top_up_id, charge).await?;
        Ok(())
    }

    /// Stores the state of an object.
    pub(super) async fn settle(&self, account_id: AccountId, top_up_id: TopUpId, charge: Charge) -> Result<(), Fault> {
        let settled = self.context.transact(account_id, move |account| {
            let charge = charge.clone();
            Box::pin(async move { settle(account, top_up_id, &charge).await })
        });
        settled.await.map_err(QueryError::into_fault)
    }

    async fn claim(&self, account_id: AccountId, top_up_id: TopUpId) -> Result<Option<Task>, Fault> {
        let claimed = self.context.transact(account_id, move |account| {
            Box::pin(async move { claim(account, top_up_id).await })
        });
        claimed.await.map_err(QueryError::into_fault)
    }

    async fn ask(&self, task: &Task) -> Reply {
        let gateway = &self.context.gateway;
        let object_id = task.object_id.clone().unwrap_or_default();
        let answer = match task.request {
            GatewayRequest::Create => gateway.create_charge(task.new.clone()).await.map(Reply::Created),
            GatewayRequest::Confirm => {
                let confirmation = Confirmation {
                    charge_id: object_id,
                    key: task.attempt_id.uuid().to_string(),
                    card_id: task.new.card_id.clone(),
                    is_automatic: task.is_automatic,
                };
                gateway.confirm_charge(confirmation).await.map(Reply::Is)
            }
            GatewayRequest::Read => gateway.read_charge(object_id).await.map(Reply::Is),
            GatewayRequest::Cancel => gateway.cancel_charge(object_id).await.map(Reply::Is),
        };
        answer.unwrap_or_else(|error| {
            tracing::warn!(request = ?task.request, %error, "the payment gateway gave no answer");
            match error {
                GatewayError::Refused { code, .. } => Reply::Refused(code),
                GatewayError::Unknown(_) | GatewayError::NotFound => Reply::Unanswered,
            }
        })
    }

    async fn take_in(&self, account_id: AccountId, top_up_id: TopUpId, task: Task, reply: Reply) -> Result<(), Fault> {
        let taken_in = self.context.transact(account_id, move |account| {
            let (attempt_id, reply) = (task.attempt_id, reply.clone());
            Box::pin(async move { take_in(account, top_up_id, attempt_id, reply).await })
        });
        taken_in.await.map_err(QueryError::into_fault)
    }
}

/// Why the state of an object is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayFault {
    /// The gateway returned an error.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The database returned an error.
    #[error(transparent)]
    Fault(#[from] Fault),
}

async fn purchase(account: &AccountTransaction<'_>, top_up_id: TopUpId) -> Result<Purchase, QueryError> {
    let found = store::purchase(account.tx, account.account_id, top_up_id).await?;
    Ok(
        found
            .ok_or_else(|| Fault::Internal("an attempt or an object names a top-up that does not exist".to_owned()))?,
    )
}

async fn claim(account: &mut AccountTransaction<'_>, top_up_id: TopUpId) -> Result<Option<Task>, QueryError> {
    let before = purchase(account, top_up_id).await?;
    let mut after = before.clone();
    let status = account.locked.header.status;
    let request = after.claim(status, account.now);
    let after = account.keep(Some(&before), after, &[]).await?;
    let (Some(request), Some(attempt)) = (request, after.open_attempt()) else {
        return Ok(None);
    };
    let customer = store::customer(account.tx, account.account_id, account.gateway_name()).await?;
    let cards = store::payment_methods(account.tx, account.account_id).await?;
    let card = cards.into_iter().find(|card| card.id == attempt.payment_method_id);
    let reference = top_up_id.global(account.account_id).to_string();
    Ok(Some(Task {
        request,
        attempt_id: attempt.id,
        object_id: attempt.object_id.clone(),
        is_automatic: attempt.is_automatic,
        new: NewCharge {
            key: format!("{reference}:{}", after.top_up.object_number),
            customer_id: customer.unwrap_or_default(),
            card_id: card.map(|card| card.gateway_card_id).unwrap_or_default(),
            price: after.top_up.price,
            reference,
        },
    }))
}

async fn take_in(
    account: &mut AccountTransaction<'_>,
    top_up_id: TopUpId,
    attempt_id: TopUpAttemptId,
    reply: Reply,
) -> Result<(), QueryError> {
    let now = account.now;
    match reply {
        Reply::Is(charge) => return settle(account, top_up_id, &charge).await,
        Reply::Created(charge) => {
            let object = (account.gateway_name(), charge.id.as_str());
            store::claim_object(account.tx, object, (account.account_id, top_up_id), now).await?;
            change(account, top_up_id, |purchase| purchase.created(attempt_id, &charge.id, now)).await
        }
        Reply::Refused(code) => change(account, top_up_id, |purchase| purchase.refused(attempt_id, code, now)).await,
        Reply::Unanswered => {
            change(account, top_up_id, |purchase| {
                purchase.unanswered(attempt_id, now);
                if purchase.escalate(now) {
                    let top_up = purchase.top_up.id.global(purchase.top_up.account_id);
                    tracing::error!(%top_up, "the result of this top-up has been unknown for a day: look it up at the payment gateway, then run `ledgerbell top-up settle`");
                }
            })
            .await
        }
    }
}

async fn change(
    account: &mut AccountTransaction<'_>,
    top_up_id: TopUpId,
    change: impl FnOnce(&mut Purchase),
) -> Result<(), QueryError> {
    let before = purchase(account, top_up_id).await?;
    let mut after = before.clone();
    change(&mut after);
    account.keep(Some(&before), after, &[]).await?;
    Ok(())
}

async fn settle(account: &mut AccountTransaction<'_>, top_up_id: TopUpId, charge: &Charge) -> Result<(), QueryError> {
    let before = purchase(account, top_up_id).await?;
    let mut after = before.clone();
    let changes = after.settle(charge, account.now);
    account.keep(Some(&before), after, &changes).await?;
    Ok(())
}
