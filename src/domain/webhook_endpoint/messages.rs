//! The log of messages, and sending them again: a test, one message, or the events after a cursor.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use crate::domain::database::{Database, Transaction, records};
use crate::domain::event::{Event, Events, LiveCursor};
use crate::domain::fault::{Fault, QueryError, Refused, UseCaseError};
use crate::domain::filter::AnyOf;
use crate::domain::ledger::credit_log::CreditLog;
use crate::domain::quota::{self, Quota};
use crate::primitives::actor::{AccessError, Actor};
use crate::primitives::clock::{Clock, HOUR, Timestamp};
use crate::primitives::ids::{AccountId, WebhookEndpointId, WebhookMessageId};
use crate::primitives::page::{Page, PageRequest};

use super::collecting::{messages, test_message};
use super::entry_filter::listed;
use super::error::{ReplayRefusal, RetryMessageRefusal, TestEndpointRefusal};
use super::model::{WebhookAttempt, WebhookEndpoint, WebhookEventType, WebhookMessage, WebhookMessageStatus};
use super::sending::Sending;
use super::{require_endpoints, store};

/// Tests of one endpoint in an hour.
const TESTS: u32 = 60;
/// Maximum events of one request to send events again.
const MOST_REPLAYED: usize = 500;

/// A message's position in a list: when it was created, and its id.
pub type MessagePosition = (Timestamp, WebhookMessageId);

/// Selects messages that meet every condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MessageFilter {
    /// Only messages in these statuses.
    pub statuses: AnyOf<WebhookMessageStatus>,
}

/// What a request to send events again has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The endpoint.
    pub endpoint: WebhookEndpoint,
    /// The number of messages that are sent.
    pub messages: usize,
    /// The last event that was examined.
    pub cursor: LiveCursor,
    /// Whether there are later events.
    pub has_more: bool,
}

/// Use cases about messages. Cloning is cheap.
#[derive(Clone)]
pub struct Messages {
    database: Database,
    clock: Clock,
    events: Events,
    credit_log: CreditLog,
    sending: Sending,
}

/// Messages to be written again.
struct Replay {
    endpoint: WebhookEndpoint,
    account_id: AccountId,
    /// Those that the endpoint gets.
    events: Vec<Arc<Event>>,
    after: LiveCursor,
}

impl Messages {
    /// Use cases for the messages in `database`.
    pub fn new((database, clock): (Database, Clock), events: Events, credit_log: CreditLog, sending: Sending) -> Self {
        Self {
            database,
            clock,
            events,
            credit_log,
            sending,
        }
    }

    /// Returns one page of the messages to an endpoint about an account, newest first.
    pub async fn page(
        &self,
        actor: &Actor,
        endpoint: (AccountId, WebhookEndpointId),
        account_id: AccountId,
        filter: &MessageFilter,
        request: &PageRequest<MessagePosition>,
    ) -> Result<Page<WebhookMessage, MessagePosition>, QueryError> {
        require_endpoints(actor, endpoint.0)?;
        let conditions = filter.statuses.texts("status", WebhookMessageStatus::as_str);
        let mut keyset = store::messages_keyset(endpoint.1, conditions.into_iter().collect());
        keyset.turn_to(true, request, |(at, id)| (at.millis(), id.uuid()));
        let scan = keyset.scan(&self.database, account_id, request.limit).await?;
        let position = |(millis, id)| (Timestamp::from_millis(millis), WebhookMessageId::from_uuid(id));
        Ok(scan.into_page(request, position, records::record)?)
    }

    /// Returns messages by id. Those that the actor may not see are left out.
    pub async fn by_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[WebhookMessageId],
    ) -> Result<HashMap<WebhookMessageId, WebhookMessage>, QueryError> {
        if !actor.reaches(account_id) {
            return Ok(HashMap::new());
        }
        let found = store::messages_by_id(&self.database, account_id, ids)
            .await?
            .into_iter();
        let seen = found.filter(|message| require_endpoints(actor, message.endpoint_account_id).is_ok());
        Ok(seen.map(|message| (message.id, message)).collect())
    }

    /// Returns the attempts of messages that the actor has read.
    pub async fn attempts(
        &self,
        account_id: AccountId,
        ids: &[WebhookMessageId],
    ) -> Result<HashMap<WebhookMessageId, Vec<WebhookAttempt>>, QueryError> {
        Ok(store::attempts_of(&self.database, account_id, ids).await?)
    }

    /// Sends a test to an endpoint.
    pub async fn send_test(
        &self,
        actor: &Actor,
        (account_id, id): (AccountId, WebhookEndpointId),
    ) -> Result<WebhookMessage, UseCaseError<TestEndpointRefusal>> {
        require_endpoints(actor, account_id)?;
        let endpoint = self.endpoint(account_id, id).await?;
        let endpoint = endpoint.ok_or(Refused(TestEndpointRefusal::NotFound))?;
        if !endpoint.is_enabled() {
            return Err(Refused(TestEndpointRefusal::Disabled));
        }
        let now = self.clock.now();
        let test = Arc::new(test_message(&endpoint, now)?);
        let message = test.message.clone();
        let written = self.database.transaction(move |tx| {
            let test = Arc::clone(&test);
            Box::pin(async move {
                if store::message(tx, account_id, test.message.id).await?.is_some() {
                    return Ok(());
                }
                let quota = Quota {
                    scope: "WEBHOOK_TEST_HOUR",
                    subject: id.uuid().as_bytes().to_vec(),
                    most: TESTS,
                    millis: HOUR,
                };
                if let Some(exhausted) = quota::spend(tx, &[quota], now).await? {
                    let retry_after_seconds = exhausted.retry_after_seconds(now);
                    return Err(Refused(TestEndpointRefusal::TooMany { retry_after_seconds }));
                }
                Ok(store::insert(tx, std::slice::from_ref(&test)).await?)
            })
        });
        written.await?;
        self.sending.wake();
        Ok(message)
    }

    /// Sends one message again, or at once if it waits.
    pub async fn retry(
        &self,
        actor: &Actor,
        account_id: AccountId,
        id: WebhookMessageId,
    ) -> Result<WebhookMessage, UseCaseError<RetryMessageRefusal>> {
        let missing = || Refused(RetryMessageRefusal::NotFound);
        if !actor.reaches(account_id) {
            return Err(missing());
        }
        let Some(message) = store::message(&self.database, account_id, id).await? else {
            // A caller without the permission does not learn whether the message exists.
            require_endpoints(actor, account_id)?;
            return Err(missing());
        };
        if let Err(refused) = require_endpoints(actor, message.endpoint_account_id) {
            // To a team, messages to endpoints of the platform do not exist.
            let is_own = message.endpoint_account_id == account_id;
            return Err(if is_own { refused.into() } else { missing() });
        }
        let endpoint = self.endpoint(message.endpoint_account_id, message.endpoint_id).await?;
        if !endpoint.is_some_and(|endpoint| endpoint.is_enabled()) {
            return Err(Refused(RetryMessageRefusal::Disabled));
        }
        let now = self.clock.now();
        let requeued = self.database.transaction(move |tx| {
            Box::pin(async move {
                store::requeue(tx, account_id, id, now).await?;
                store::message(tx, account_id, id).await
            })
        });
        let requeued: Result<Option<WebhookMessage>, Fault> = requeued.await;
        self.sending.wake();
        requeued?.ok_or_else(missing)
    }

    /// Sends the events after a cursor to an endpoint again, those of its types that its filter lists, also ones from before it existed. A
    /// message that was sent before keeps its id.
    pub async fn replay(
        &self,
        actor: &Actor,
        (of, id): (AccountId, WebhookEndpointId),
        account_id: Option<AccountId>,
        after: &str,
    ) -> Result<Replayed, UseCaseError<ReplayRefusal>> {
        require_endpoints(actor, of)?;
        let endpoint = self.endpoint(of, id).await?;
        let endpoint = endpoint.ok_or(Refused(ReplayRefusal::NotFound))?;
        if !endpoint.is_enabled() {
            return Err(Refused(ReplayRefusal::Disabled));
        }
        let account_id = match (account_id, of) {
            (None, AccountId::PLATFORM) => {
                let message = "is required: the endpoint gets the events of all accounts";
                return Err(Refused(ReplayRefusal::Account(message)));
            }
            (Some(named), AccountId::PLATFORM) => named,
            (Some(named), of) if named != of => {
                return Err(Refused(ReplayRefusal::Account("must be the account of the endpoint")));
            }
            (_, of) => of,
        };
        let after = LiveCursor::decode(account_id, after).map_err(|_| Refused(ReplayRefusal::Cursor))?;
        let page = self.events.page(account_id, Some(after), None, MOST_REPLAYED).await?;
        let page = page.ok_or(AccessError::NotFound)?;
        if page.start.is_reset {
            return Err(Refused(ReplayRefusal::Cursor));
        }
        let last = page.events.last().map_or(after.position(), |event| event.position);
        let is_wanted = |event: &Arc<Event>| {
            let event_type = WebhookEventType::of(&event.content);
            event_type.is_some_and(|event_type| endpoint.gets_type(event_type))
        };
        let wanted = page.events.into_iter().filter(is_wanted).collect();
        let replay = Arc::new(Replay {
            endpoint: endpoint.clone(),
            account_id,
            events: listed(&self.credit_log, account_id, &endpoint, wanted).await?,
            after,
        });
        let now = self.clock.now();
        let written = self.database.transaction(move |tx| {
            let replay = Arc::clone(&replay);
            Box::pin(async move { write_again(tx, &replay, now).await })
        });
        let written: Result<usize, Fault> = written.await;
        let messages = written?;
        self.sending.wake();
        Ok(Replayed {
            endpoint,
            messages,
            cursor: self.events.cursor(account_id, last),
            has_more: last.sequence < page.start.head.sequence,
        })
    }

    /// Deletes up to `limit` messages that ended and were created before an instant. Returns their number.
    pub async fn delete_ended(&self, before: Timestamp, limit: u32) -> Result<usize, Fault> {
        self.database
            .transaction(move |tx| Box::pin(async move { store::delete_ended(tx, before, limit).await }))
            .await
    }

    /// Returns an endpoint that was not deleted.
    async fn endpoint(&self, account_id: AccountId, id: WebhookEndpointId) -> Result<Option<WebhookEndpoint>, Fault> {
        let found = store::endpoint(&self.database, account_id, id).await?;
        Ok(found.filter(|endpoint| endpoint.removed_at.is_none()))
    }
}

async fn write_again(tx: &Transaction, replay: &Replay, now: Timestamp) -> Result<usize, Fault> {
    let Replay {
        endpoint,
        account_id,
        events,
        after,
    } = replay;
    let previous = Some(after.position());
    let messages = messages((after.epoch, *account_id), endpoint, events, (previous, now))?;
    store::insert_or_requeue(tx, &messages).await?;
    Ok(messages.len())
}
