//! From events to messages.
//!
//! An account's checkpoint is the last event of which messages were written. The messages of the next events and the new checkpoint are
//! one transaction, which waits for no account's lock. Accounts without an endpoint have no checkpoint, and cost nothing when credits are
//! posted.
//!
//! A bell announces most events. It may be lost, so a worker also goes through all accounts with an endpoint in turn.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use uuid::Uuid;

use crate::domain::database::{Database, Transaction};
use crate::domain::event::{self, Event, LiveCursor, StreamPosition};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::CreditLog;
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::ids::{AccountId, GlobalId, IdMint, IdSeed, WebhookMessageId};

use super::entry_filter::listed;
use super::model::{TEST_TYPE, WebhookEndpoint, WebhookEventType, WebhookMessage, WebhookMessageStatus, shown_status};
use super::sending::Sending;
use super::store::{self, NewMessage, Stream};

/// Maximum events of an account that one transaction processes.
const MOST_EVENTS: usize = 128;
/// Number of accounts that are processed concurrently.
const AT_ONCE: usize = 4;

/// Writes the messages of all accounts. Cloning is cheap.
#[derive(Clone)]
pub struct Collecting {
    database: Database,
    clock: Clock,
    epoch: Uuid,
    credit_log: CreditLog,
    sending: Sending,
}

/// New events of an account.
struct Work {
    account_id: AccountId,
    checkpoint: Option<i64>,
    until: i64,
    /// The endpoints that get some of them, and which.
    gets: Vec<(WebhookEndpoint, Vec<Arc<Event>>)>,
}

/// Returns the last event of an account of which messages were written; `None` if no enabled endpoint gets messages about it.
pub(in crate::domain) async fn collected_until(
    database: &Database,
    account_id: AccountId,
) -> Result<Option<i64>, Fault> {
    for hooked in [account_id, AccountId::PLATFORM] {
        if !store::enabled_of(database, vec![hooked]).await?.is_empty() {
            let checkpoint = store::checkpoint(database, account_id).await?;
            return Ok(Some(checkpoint.unwrap_or(0)));
        }
    }
    Ok(None)
}

impl Collecting {
    /// Reads the events in `database`; `epoch` is the installation's. `sending` is woken when there are messages.
    pub fn new((database, clock): (Database, Clock), epoch: Uuid, credit_log: CreditLog, sending: Sending) -> Self {
        Self {
            database,
            clock,
            epoch,
            credit_log,
            sending,
        }
    }

    /// Returns the next accounts after one, in the order of their numbers, whose events an endpoint may get.
    pub async fn next_accounts(&self, after: AccountId, limit: u32) -> Result<Vec<AccountId>, Fault> {
        if store::enabled_since(&self.database, vec![AccountId::PLATFORM])
            .await?
            .is_empty()
        {
            store::next_hooked(&self.database, after, limit).await
        } else {
            store::next_accounts(&self.database, after, limit).await
        }
    }

    /// Writes messages of the new events of these accounts. Returns the accounts with more of them. An account that fails delays no
    /// other, and is tried again in its turn.
    pub async fn collect(&self, accounts: &[AccountId]) -> Result<Vec<AccountId>, Fault> {
        let mut named = accounts.to_vec();
        named.push(AccountId::PLATFORM);
        // Since when each account, or the platform, has an enabled endpoint.
        let mut since: HashMap<AccountId, Timestamp> = HashMap::new();
        for (account_id, enabled_at) in store::enabled_since(&self.database, named).await? {
            let first = since.entry(account_id).or_insert(enabled_at);
            *first = enabled_at.min(*first);
        }
        let of_platform = since.remove(&AccountId::PLATFORM);
        let covered = accounts.iter().copied();
        let covered: Vec<AccountId> = covered
            .filter(|account_id| of_platform.is_some() || since.contains_key(account_id))
            .collect();
        if covered.is_empty() {
            return Ok(Vec::new());
        }
        let streams = store::streams(&self.database, covered).await?.into_iter();
        let behind = streams.filter(|stream| stream.checkpoint.is_none_or(|checkpoint| checkpoint < stream.head));
        let collected = behind.map(|stream| {
            let own = since.get(&stream.account_id).copied();
            let since = own.into_iter().chain(of_platform).min();
            async move { (stream.account_id, self.collect_one(stream, since).await) }
        });
        let collected: Vec<_> = stream::iter(collected).buffer_unordered(AT_ONCE).collect().await;
        let mut unfinished = Vec::new();
        for (account_id, has_more) in collected {
            match has_more {
                Ok(true) => unfinished.push(account_id),
                Ok(false) => {}
                Err(fault) => {
                    tracing::warn!(account = account_id.number(), %fault, "webhook messages were not written");
                }
            }
        }
        Ok(unfinished)
    }

    /// Writes messages of the next events of an account. Returns whether there are more.
    async fn collect_one(&self, stream: Stream, since: Option<Timestamp>) -> Result<bool, Fault> {
        let account_id = stream.account_id;
        let after = self.start(stream, since).await?;
        let events = event::after(&self.database, account_id, after, MOST_EVENTS).await?;
        // Read after the events, so that no endpoint is missing that existed when one of them was posted.
        let endpoints = store::enabled_of(&self.database, vec![account_id, AccountId::PLATFORM]).await?;
        let until = events.last().map_or(after, |event| event.position.sequence);
        let has_more = events.len() == MOST_EVENTS;
        let mut gets = Vec::new();
        for endpoint in endpoints {
            let events = self.events_for(account_id, &endpoint, &events).await?;
            if !events.is_empty() {
                gets.push((endpoint, events));
            }
        }
        let work = Arc::new(Work {
            account_id,
            checkpoint: stream.checkpoint,
            until,
            gets,
        });
        let (epoch, now) = (self.epoch, self.clock.now());
        let written = self.database.transaction(move |tx| {
            let work = Arc::clone(&work);
            Box::pin(async move { write(tx, epoch, &work, now).await })
        });
        if written.await? > 0 {
            self.sending.wake();
        }
        Ok(has_more)
    }

    /// Returns those of an account's events that an endpoint gets.
    async fn events_for(
        &self,
        account_id: AccountId,
        endpoint: &WebhookEndpoint,
        events: &[Arc<Event>],
    ) -> Result<Vec<Arc<Event>>, Fault> {
        let wanted = events.iter().filter(|event| {
            let event_type = WebhookEventType::of(&event.content);
            event_type.is_some_and(|event_type| endpoint.gets(event_type, event.occurred_at))
        });
        listed(&self.credit_log, account_id, endpoint, wanted.cloned().collect()).await
    }

    /// Returns the event after which to read. Events from before all endpoints are not read: without a checkpoint, or with an old one
    /// from earlier endpoints, there may be any number of them. Time never runs backwards in an account, so if the next event is not
    /// from before, none is.
    async fn start(&self, stream: Stream, since: Option<Timestamp>) -> Result<i64, Fault> {
        let nearby = i64::try_from(MOST_EVENTS).unwrap_or(i64::MAX);
        let checkpoint = stream.checkpoint;
        if let Some(checkpoint) = checkpoint.filter(|checkpoint| stream.head - checkpoint <= nearby) {
            return Ok(checkpoint);
        }
        if let (Some(checkpoint), Some(since)) = (checkpoint, since) {
            let next = event::after(&self.database, stream.account_id, checkpoint, 1).await?;
            if next.first().is_none_or(|next| next.occurred_at >= since) {
                return Ok(checkpoint);
            }
        }
        let before = match since {
            Some(since) => store::last_before(&self.database, stream.account_id, since).await?,
            None => stream.head,
        };
        Ok(before.max(checkpoint.unwrap_or(0)))
    }
}

/// Writes the messages and the checkpoint, unless another process has done it. Returns the number of messages.
async fn write(tx: &Transaction, epoch: Uuid, work: &Work, now: Timestamp) -> Result<usize, Fault> {
    if !store::move_checkpoint(tx, work.account_id, work.checkpoint, work.until).await? {
        return Ok(0);
    }
    let mut written = 0;
    for (endpoint, events) in &work.gets {
        let previous = store::last_message(tx, work.account_id, endpoint.id).await?;
        let messages = messages((epoch, work.account_id), endpoint, events, (previous, now))?;
        store::insert(tx, &messages).await?;
        written += messages.len();
    }
    Ok(written)
}

/// Returns the messages about these events to an endpoint. Each names the event of the message before it.
pub(super) fn messages(
    (epoch, account_id): (Uuid, AccountId),
    endpoint: &WebhookEndpoint,
    events: &[Arc<Event>],
    (mut previous, now): (Option<StreamPosition>, Timestamp),
) -> Result<Vec<NewMessage>, Fault> {
    let mut mint = IdMint::new(IdSeed::random(), now);
    let mut messages = Vec::with_capacity(events.len());
    for event in events {
        let Some(event_type) = WebhookEventType::of(&event.content) else {
            continue;
        };
        let cursor = |position| LiveCursor::new(epoch, account_id, position).encode();
        let columns = event.content.columns();
        let named = |id: Option<GlobalId>| id.map(|id| id.to_string());
        let data = Data {
            account_id: Some(account_id.to_string()),
            live_cursor: Some(cursor(event.position)),
            previous_live_cursor: previous.map(cursor),
            entry_id: named(columns.entry_id.map(|id| id.global(account_id))),
            session_id: named(columns.session_id.map(|id| id.global(account_id))),
            top_up_id: named(columns.top_up_id.map(|id| id.global(account_id))),
            alert_id: named(columns.alert_id.map(|id| id.global(account_id))),
            api_key_id: named(columns.api_key_id.map(|id| id.global(account_id))),
            member_id: named(columns.member_id.map(|id| id.global(account_id))),
            status: shown_status(&event.content),
        };
        let message = new_message(
            (account_id, endpoint),
            (event_type.wire(), event.occurred_at, &data),
            WebhookMessageId::from_uuid(mint.next_uuid()),
            now,
        )?;
        messages.push(NewMessage {
            message,
            position: Some(event.position),
        });
        previous = Some(event.position);
    }
    Ok(messages)
}

/// Returns a message that tries an endpoint.
pub(super) fn test_message(endpoint: &WebhookEndpoint, now: Timestamp) -> Result<NewMessage, Fault> {
    let account_id = endpoint.account_id;
    let data = Data {
        account_id: (account_id != AccountId::PLATFORM).then(|| account_id.to_string()),
        ..Data::default()
    };
    let id = WebhookMessageId::from_uuid(IdMint::new(IdSeed::random(), now).next_uuid());
    let message = new_message((account_id, endpoint), (TEST_TYPE, now, &data), id, now)?;
    Ok(NewMessage {
        message,
        position: None,
    })
}

fn new_message(
    (account_id, endpoint): (AccountId, &WebhookEndpoint),
    (event_type, occurred_at, data): (&str, Timestamp, &Data<'_>),
    id: WebhookMessageId,
    now: Timestamp,
) -> Result<WebhookMessage, Fault> {
    let payload = Payload {
        event_type,
        timestamp: occurred_at.to_string(),
        data,
    };
    Ok(WebhookMessage {
        account_id,
        id,
        endpoint_account_id: endpoint.account_id,
        endpoint_id: endpoint.id,
        event_type: event_type.to_owned(),
        payload: serde_json::to_string(&payload).map_err(|error| Fault::Internal(error.to_string()))?,
        status: WebhookMessageStatus::Pending,
        attempts: 0,
        failures: 0,
        next_attempt_at: Some(now),
        created_at: now,
        delivered_at: None,
    })
}

/// The body of a message, in the form that the specification recommends.
#[derive(Serialize)]
struct Payload<'a> {
    #[serde(rename = "type")]
    event_type: &'a str,
    timestamp: String,
    data: &'a Data<'a>,
}

/// What a message is about: ids alone. Its receiver reads the objects, which may have changed since, from the API.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_live_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_up_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
}
