//! Messages on their way: claimed, sent, retried, given up.
//!
//! A message arrives at least once. It can arrive twice, with the same `webhook-id`, if the response or the record of it is lost. Messages
//! of one endpoint may arrive in any order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::database::{Database, record_within};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::Ledger;
use crate::primitives::clock::{Clock, SECOND, Timestamp};
use crate::primitives::ids::{AccountId, WebhookEndpointId};

use super::model::{
    DisabledReason, SigningKeys, WebhookAttempt, WebhookEndpoint, WebhookFailure, WebhookMessage, WebhookMessageStatus,
    next_attempt,
};
use super::store;
use super::transport::{Answer, Request, Transport};

/// How much longer than two attempts a claim lasts, in milliseconds. So an attempt is recorded before its claim ends.
const SPARE_MILLIS: i64 = 5 * SECOND;
/// How much longer than an attempt its result is recorded again while the database fails.
const RECORDING_SPARE: Duration = Duration::from_secs(3);
/// Maximum attempts in progress to one endpoint, in this process. So an endpoint that hangs delays no other.
const MOST_OF_ENDPOINT: usize = 4;
/// The same to all endpoints of one account, so that a team with many endpoints that hang delays no other team.
const MOST_OF_ACCOUNT: usize = 8;

/// An endpoint, with the account that it belongs to.
pub type Target = (AccountId, WebhookEndpointId);

/// Attempts in progress, by account and by endpoint.
#[derive(Default)]
struct Begun {
    endpoints: HashMap<WebhookEndpointId, usize>,
    accounts: HashMap<AccountId, usize>,
}

impl Begun {
    fn of(in_progress: impl Iterator<Item = Target>) -> Self {
        let mut begun = Self::default();
        for target in in_progress {
            begun.add(target);
        }
        begun
    }

    fn add(&mut self, (account_id, endpoint_id): Target) {
        *self.endpoints.entry(endpoint_id).or_default() += 1;
        *self.accounts.entry(account_id).or_default() += 1;
    }

    /// Whether no other attempt may begin. The platform has no bound as an account.
    fn is_busy(&self, (account_id, endpoint_id): Target) -> bool {
        let of_endpoint = self
            .endpoints
            .get(&endpoint_id)
            .is_some_and(|begun| *begun >= MOST_OF_ENDPOINT);
        of_endpoint || self.busy_accounts().any(|busy| busy == account_id)
    }

    fn busy_accounts(&self) -> impl Iterator<Item = AccountId> {
        let busy = self.accounts.iter().filter(|(_, begun)| **begun >= MOST_OF_ACCOUNT);
        busy.map(|(account_id, _)| *account_id)
            .filter(|account_id| *account_id != AccountId::PLATFORM)
    }

    fn busy_endpoints(&self) -> impl Iterator<Item = WebhookEndpointId> {
        let busy = self.endpoints.iter().filter(|(_, begun)| **begun >= MOST_OF_ENDPOINT);
        busy.map(|(endpoint_id, _)| *endpoint_id)
    }
}

/// A message with a claim. The holder of the claim may send it until the claim runs out.
#[derive(Clone, Debug)]
pub struct Claimed(WebhookMessage);

impl Claimed {
    /// The endpoint that it goes to.
    pub const fn target(&self) -> Target {
        (self.0.endpoint_account_id, self.0.endpoint_id)
    }
}

/// Sends the messages of all accounts. Cloning is cheap.
#[derive(Clone)]
pub struct Sending {
    database: Database,
    clock: Clock,
    ledger: Ledger,
    keys: SigningKeys,
    transport: Arc<dyn Transport>,
    due: Arc<Notify>,
}

impl Sending {
    /// Sends the messages in `database`.
    pub fn new(
        (database, clock): (Database, Clock),
        ledger: Ledger,
        keys: SigningKeys,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self {
            database,
            clock,
            ledger,
            keys,
            transport,
            due: Arc::default(),
        }
    }

    /// Reports that messages of this process are due.
    pub(super) fn wake(&self) {
        self.due.notify_one();
    }

    /// Waits until messages of this process are due. Messages of other processes are found by looking.
    pub async fn woken(&self) {
        self.due.notified().await;
    }

    /// Claims up to `limit` messages that are due. `in_progress` has the endpoint of each attempt that this process has begun.
    pub async fn claim(&self, limit: usize, in_progress: impl Iterator<Item = Target>) -> Result<Vec<Claimed>, Fault> {
        let mut begun = Begun::of(in_progress);
        let now = self.clock.now();
        let busy = (begun.busy_accounts().collect(), begun.busy_endpoints().collect());
        let mut due = store::due(&self.database, now, busy, limit).await?;
        due.retain(|message| {
            let target = (message.endpoint_account_id, message.endpoint_id);
            let may_begin = !begun.is_busy(target);
            if may_begin {
                begun.add(target);
            }
            may_begin
        });
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(self.transport.time_limit().as_millis()).unwrap_or(0);
        let (due, until) = (Arc::new(due), now.plus_millis(2 * limit + SPARE_MILLIS));
        let claimed = self.database.transaction(move |tx| {
            let due = Arc::clone(&due);
            Box::pin(async move { store::claim(tx, &due, until).await })
        });
        let claimed: Result<Vec<WebhookMessage>, Fault> = claimed.await;
        Ok(claimed?.into_iter().map(Claimed).collect())
    }

    /// Sends a claimed message and records how that ended. A message whose endpoint was disabled or deleted meanwhile is not sent.
    pub async fn attempt(&self, claimed: Claimed) -> Result<(), Fault> {
        let message = claimed.0;
        let of = (message.endpoint_account_id, message.endpoint_id);
        let endpoint = store::endpoint(&self.database, of.0, of.1).await?;
        let Some(endpoint) = endpoint.filter(WebhookEndpoint::is_enabled) else {
            return self.discard(&message).await;
        };
        let (started_at, clock) = (self.clock.now(), Instant::now());
        let id = message.id.global(message.account_id).to_string();
        let generations = endpoint.signing_generations(started_at);
        let signature = self
            .keys
            .signatures(of, &generations, (&id, started_at, &message.payload));
        let posted = self.transport.post(Request {
            url: &endpoint.url,
            id: &id,
            at: started_at,
            signature: &signature,
            body: &message.payload,
        });
        let answer = posted.await;
        let attempt = attempt(&message, started_at, clock.elapsed(), answer);
        let failure = attempt.failure;
        let retry_after = answer.ok().and_then(|answer| answer.retry_after);
        let ended = ended(message, failure, retry_after, self.clock.now());
        if let Some(failure) = failure {
            tracing::info!(endpoint = %endpoint.id.global(of.0), message = id, reason = failure.as_str(),
                "a webhook message was not delivered");
        }
        self.record(endpoint, ended, attempt).await
    }

    async fn discard(&self, message: &WebhookMessage) -> Result<(), Fault> {
        let (id, attempts) = ((message.account_id, message.id), message.attempts);
        self.database
            .transaction(move |tx| Box::pin(async move { store::discard(tx, id, attempts).await }))
            .await
    }

    /// Records an attempt, then what it says about the endpoint. These are separate: an endpoint of the platform is in no account.
    async fn record(
        &self,
        endpoint: WebhookEndpoint,
        ended: WebhookMessage,
        attempt: WebhookAttempt,
    ) -> Result<(), Fault> {
        let failure = attempt.failure;
        let work = Arc::new((ended, attempt));
        let record = || {
            let work = Arc::clone(&work);
            self.database.transaction(move |tx| {
                let work = Arc::clone(&work);
                Box::pin(async move { store::end_attempt(tx, &work.0, &work.1).await })
            })
        };
        let limit = self.transport.time_limit() + RECORDING_SPARE;
        record_within(limit, "the response of a webhook endpoint", record).await?;
        let (of, now) = ((endpoint.account_id, endpoint.id), self.clock.now());
        match failure {
            None if endpoint.failing_since.is_none() => Ok(()),
            None => {
                let noted = self
                    .database
                    .transaction(move |tx| Box::pin(async move { store::note_success(tx, of).await }));
                noted.await
            }
            Some(failure) => match endpoint.disabled_by_failure(failure == WebhookFailure::Gone, now) {
                Some(because) => self.disable(endpoint, because, now).await,
                None if endpoint.failing_since.is_some() => Ok(()),
                None => {
                    let noted = self
                        .database
                        .transaction(move |tx| Box::pin(async move { store::note_failure(tx, of, now).await }));
                    noted.await
                }
            },
        }
    }

    /// Disables an endpoint. That of an account is a change of the account, which its pages see live.
    async fn disable(&self, endpoint: WebhookEndpoint, because: DisabledReason, now: Timestamp) -> Result<(), Fault> {
        let (account_id, id) = (endpoint.account_id, endpoint.id);
        let endpoint = Arc::new(endpoint);
        let was_enabled = if account_id == AccountId::PLATFORM {
            let disabled = self.database.transaction(move |tx| {
                let endpoint = Arc::clone(&endpoint);
                Box::pin(async move { store::disable(tx, &endpoint, because, now).await })
            });
            let disabled: Result<bool, Fault> = disabled.await;
            disabled?
        } else {
            let disabled = self.ledger.change(account_id, move |tx, locked| {
                let endpoint = Arc::clone(&endpoint);
                Box::pin(async move {
                    let was_enabled = store::disable(tx, &endpoint, because, locked.now).await?;
                    if was_enabled {
                        locked.append_account_updated(tx).await?;
                    }
                    Ok::<bool, QueryError>(was_enabled)
                })
            });
            disabled.await.map_err(QueryError::into_fault)?
        };
        if was_enabled {
            tracing::warn!(endpoint = %id.global(account_id), because = because.as_str(),
                "a webhook endpoint was disabled");
        }
        Ok(())
    }
}

fn attempt(
    message: &WebhookMessage,
    started_at: Timestamp,
    took: Duration,
    answer: Result<Answer, WebhookFailure>,
) -> WebhookAttempt {
    let (status_code, failure) = match answer {
        Ok(Answer { status, .. }) => (Some(i32::from(status)), WebhookFailure::of_status(status)),
        Err(failure) => (None, Some(failure)),
    };
    WebhookAttempt {
        message_id: message.id,
        number: message.attempts,
        started_at,
        duration_millis: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
        status_code,
        failure,
    }
}

/// Returns the new state of a message after an attempt.
fn ended(
    message: WebhookMessage,
    failure: Option<WebhookFailure>,
    retry_after: Option<i64>,
    now: Timestamp,
) -> WebhookMessage {
    let Some(failure) = failure else {
        return WebhookMessage {
            status: WebhookMessageStatus::Delivered,
            next_attempt_at: None,
            delivered_at: Some(now),
            ..message
        };
    };
    let failures = message.failures + 1;
    let jitter = getrandom::u32().unwrap_or_default().to_be_bytes()[0];
    let next = next_attempt(failures, now, jitter, retry_after).filter(|_| failure != WebhookFailure::Gone);
    WebhookMessage {
        status: next.map_or(WebhookMessageStatus::Failed, |_| WebhookMessageStatus::Pending),
        failures,
        next_attempt_at: next,
        ..message
    }
}
