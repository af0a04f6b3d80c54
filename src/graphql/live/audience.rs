//! Subscribers that receive the same messages: a message is produced once and used by all of them.
//!
//! The first subscriber at a position in the stream produces the message, and the others wait for it. The position after the
//! message is part of it, so subscribers at one position stay together. Two things are never shared: history, which differs in
//! `replayed`, and messages between callers who may not see the same; see [`Operation::audience`].

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_graphql::Response;
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::LiveItem;
use super::interest::{Interest, Topics, in_inbox};
use super::operation::{AudienceKey, Operation};
use super::payload::LiveSignal;
use super::stage::{Moment, Stage};
use crate::domain::event::{Event, EventContent, Listener, StreamPosition};
use crate::domain::fault::{Fault, QueryError};
use crate::graphql::Schema;
use crate::graphql::context::{Caller, Scope};
use crate::graphql::errors::{self, ApiError, ErrorCode, code_of};
use crate::graphql::loaders::Loaders;
use crate::graphql::rows::to_json;
use crate::primitives::ids::AccountId;

/// The maximum number of messages that are produced together, so that their data is read together. Also the maximum of their
/// total cost, unless a single message costs more. They are produced before they are paid for.
const MOST_TOGETHER: usize = 32;
const MOST_COST: u64 = 2_000;
/// The cost of the query for relevant events, whatever its result.
const LOOK: u64 = 10;
/// The number of batches that are kept for later subscribers.
const MOST_KEPT: usize = 8;
/// How long a batch is kept. Objects are shown in their current state, and this is how old that state may be.
const KEPT: Duration = Duration::from_secs(2);

/// Subscribers that receive the same messages.
pub(super) struct Audience {
    pub(super) account_id: AccountId,
    schema: Schema,
    operation: Operation,
    interest: Arc<Interest>,
    /// One of the subscribers: all of them may see the same.
    caller: Caller,
    /// The caller that messages are produced for. Where messages are shared, it is an artificial caller with the same rights.
    /// So a field that depends on the caller, but is not marked, shows no private data of one subscriber to others.
    shown_to: Caller,
    /// The language of the messages, if they depend on it.
    language: Option<Arc<str>>,
    batches: Mutex<VecDeque<Kept>>,
    key: AudienceKey,
}

struct Kept {
    after: i64,
    since: Instant,
    batch: Arc<OnceCell<Arc<Batch>>>,
}

/// The messages between one position and the next.
pub(super) struct Batch {
    /// The position of its last event.
    pub(super) end: StreamPosition,
    pub(super) items: Vec<LiveItem>,
    pub(super) cost: u64,
}

/// Why there is no batch.
#[derive(Debug)]
pub(super) enum Stuck {
    /// There are no events after the position.
    Nothing,
    /// The events after the position are no longer stored.
    Gone,
    /// A temporary failure: a retry may succeed.
    Passing(Box<Response>),
    /// A permanent failure.
    Lasting(Box<Response>),
}

impl From<Fault> for Stuck {
    fn from(fault: Fault) -> Self {
        let passes = fault.passes();
        let response = Box::new(ApiError::from(fault).into_response());
        if passes {
            Self::Passing(response)
        } else {
            Self::Lasting(response)
        }
    }
}

fn stuck(error: QueryError) -> Stuck {
    match error {
        QueryError::Fault(fault) => Stuck::from(fault),
        error => Stuck::Lasting(Box::new(ApiError::from(error).into_response())),
    }
}

#[derive(Clone, Default)]
pub(in crate::graphql) struct Audiences(Arc<Mutex<HashMap<AudienceKey, Weak<Audience>>>>);

impl Audiences {
    /// Returns the audience that a caller belongs to.
    pub(super) fn join(
        &self,
        schema: &Schema,
        operation: &Operation,
        (account_id, interest): (AccountId, Interest),
        (caller, language): (&Caller, Option<Arc<str>>),
    ) -> Arc<Audience> {
        let key = operation.audience(account_id, interest.inbox_of, &caller.actor, language.as_deref());
        let mut audiences = self.lock();
        if let Some(audience) = audiences.get(&key).and_then(Weak::upgrade) {
            return audience;
        }
        let shown_to = if operation.is_shared(&caller.actor) {
            Caller {
                actor: caller.actor.without_identity(),
                ..caller.clone()
            }
        } else {
            caller.clone()
        };
        let audience = Arc::new(Audience {
            account_id,
            schema: schema.clone(),
            operation: operation.clone(),
            interest: Arc::new(interest),
            caller: caller.clone(),
            shown_to,
            language,
            batches: Mutex::default(),
            key,
        });
        audiences.insert(key, Arc::downgrade(&audience));
        audience
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AudienceKey, Weak<Audience>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        let mut audiences = self.schema.audiences.lock();
        // Another subscriber may have created it again in the meantime.
        if audiences.get(&self.key).is_some_and(|kept| kept.strong_count() == 0) {
            audiences.remove(&self.key);
        }
    }
}

impl Audience {
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(super) fn operation(&self) -> &Operation {
        &self.operation
    }

    /// Returns the next batch after a live position, and the cost for this caller: the full cost if this call produced the batch.
    pub(super) async fn live_batch(
        &self,
        listener: &Listener,
        position: StreamPosition,
    ) -> Result<(Arc<Batch>, u64), Stuck> {
        let cell = self.kept(position.sequence);
        let made = AtomicU64::new(0);
        let batch = cell.get_or_try_init(|| async {
            let batch = self.batch(listener, position, None).await?;
            made.store(batch.cost, Ordering::Relaxed);
            Ok::<_, Stuck>(Arc::new(batch))
        });
        let batch = batch.await?.clone();
        Ok((batch, made.into_inner()))
    }

    /// Returns the next batch after a position in history, up to the event `last`, and its cost.
    pub(super) async fn history_batch(
        &self,
        listener: &Listener,
        position: StreamPosition,
        last: i64,
    ) -> Result<(Arc<Batch>, u64), Stuck> {
        let batch = self.batch(listener, position, Some(last)).await?;
        let cost = batch.cost;
        Ok((Arc::new(batch), cost))
    }

    /// Returns a message that contains only a position.
    pub(super) async fn signal(&self, signal: LiveSignal, position: StreamPosition) -> Result<LiveItem, Stuck> {
        let moment = self.moment(signal, position, false, &[]);
        let loaders = self.loaders();
        loaders.run(self.show(&loaders, moment)).await
    }

    fn kept(&self, after: i64) -> Arc<OnceCell<Arc<Batch>>> {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while batches.front().is_some_and(|kept| now - kept.since > KEPT) {
            batches.pop_front();
        }
        if let Some(kept) = batches.iter().find(|kept| kept.after == after) {
            return Arc::clone(&kept.batch);
        }
        if batches.len() == MOST_KEPT {
            batches.pop_front();
        }
        let batch = Arc::default();
        batches.push_back(Kept {
            after,
            since: now,
            batch: Arc::clone(&batch),
        });
        batch
    }

    async fn batch(&self, listener: &Listener, position: StreamPosition, last: Option<i64>) -> Result<Batch, Stuck> {
        let mut events = listener.after(position.sequence).await?;
        match events.first() {
            Some(next) if next.position.sequence != position.sequence + 1 => return Err(Stuck::Gone),
            None if last.is_some() => return Err(Stuck::Gone),
            None => return Err(Stuck::Nothing),
            Some(_) => {}
        }
        if let Some(last) = last {
            events.retain(|event| event.position.sequence <= last);
        }
        let is_selected = self.selected(&events).await?;
        let (messages, end) = self.messages(position, events, is_selected);
        let loaders = self.loaders();
        let shown = messages.iter().filter_map(|events| {
            let position = events.last()?.position;
            let moment = self.moment(LiveSignal::Item, position, last.is_some(), events);
            let known_since = listener.known_since(position.sequence).filter(|_| last.is_none());
            let shown = self.show(&loaders, moment);
            Some(async move {
                let item = shown.await?;
                Ok::<_, Stuck>(LiveItem { known_since, ..item })
            })
        });
        let items = loaders.run(try_join_all(shown)).await?;
        let look = if self.interest.filter.is_some() || self.interest.inbox_of.is_some() {
            LOOK
        } else {
            0
        };
        let cost = self
            .operation
            .cost
            .saturating_mul(items.len() as u64)
            .saturating_add(look);
        Ok(Batch { end, items, cost })
    }

    /// Returns the events of each message, and the last event that they cover.
    fn messages(
        &self,
        mut end: StreamPosition,
        events: Vec<Arc<Event>>,
        is_selected: impl Fn(&Event) -> bool,
    ) -> (Vec<Vec<Arc<Event>>>, StreamPosition) {
        let affordable = usize::try_from(MOST_COST / self.operation.cost.max(1)).unwrap_or(MOST_TOGETHER);
        let most = affordable.clamp(1, MOST_TOGETHER);
        let mut messages: Vec<Vec<Arc<Event>>> = Vec::new();
        for event in events {
            let position = event.position;
            if is_selected(&event) {
                let is_full = messages
                    .last()
                    .is_none_or(|message| message.len() == self.interest.at_once);
                if is_full && messages.len() == most {
                    break;
                }
                if is_full {
                    messages.push(Vec::new());
                }
                if let Some(message) = messages.last_mut() {
                    message.push(event);
                }
            }
            end = position;
        }
        (messages, end)
    }

    /// Returns which of these events produce a message. The filter of the log is queried once for all entries among them.
    async fn selected(&self, events: &[Arc<Event>]) -> Result<impl Fn(&Event) -> bool + use<'_>, Stuck> {
        let listed = match &self.interest.filter {
            None => None,
            Some(filter) => {
                let entries = events
                    .iter()
                    .filter(|event| self.interest.concerns_as(Topics::ENTRIES, event));
                let ids: Vec<_> = entries.filter_map(|event| event.content.entry_id()).collect();
                let log = &self.schema.services.credit_log;
                let listed = log.listed(&self.caller.actor, self.account_id, filter, &ids).await;
                let listed = listed.map_err(stuck)?;
                Some(listed.into_iter().collect::<HashSet<_>>())
            }
        };
        let inbox = in_inbox(
            &self.schema.services,
            &self.caller.actor,
            self.account_id,
            &self.interest,
            events,
        );
        let inbox = inbox.await.map_err(stuck)?;
        Ok(move |event: &Event| {
            self.interest.concerns(event)
                && match event.content {
                    EventContent::EntryPosted { entry_id, .. } => {
                        listed.as_ref().is_none_or(|ids| ids.contains(&entry_id))
                    }
                    _ => inbox.holds(event),
                }
        })
    }

    fn moment(&self, signal: LiveSignal, position: StreamPosition, replayed: bool, events: &[Arc<Event>]) -> Moment {
        Moment {
            signal,
            cursor: self.schema.services.events.cursor(self.account_id, position),
            replayed,
            events: events.into(),
            interest: Arc::clone(&self.interest),
        }
    }

    fn loaders(&self) -> Arc<Loaders> {
        Arc::new(Loaders::new(
            Arc::clone(&self.schema.services),
            self.shown_to.actor.clone(),
        ))
    }

    /// Executes the subscription for one message.
    async fn show(&self, loaders: &Arc<Loaders>, moment: Moment) -> Result<LiveItem, Stuck> {
        let cursor = moment.cursor;
        // The data of the message is read after its event. So a client that continues from this cursor misses no later event.
        let live_cursors = HashMap::from([(self.account_id, cursor)]);
        let scope = Scope {
            language: self.language.clone(),
            ..self.schema.scope(self.shown_to.clone(), loaders, live_cursors)
        };
        let request = self.operation.request().data(scope).data(Stage::Show(moment));
        let response = self.schema.inner.execute_stream(request).next().await;
        let mut response = response.ok_or_else(|| Fault::Internal("a message was not made".to_owned()))?;
        errors::tidy(&mut response);
        let unavailable = Some(ErrorCode::Unavailable.as_str());
        if response.errors.iter().any(|error| code_of(error) == unavailable) {
            return Err(Stuck::Passing(Box::new(response)));
        }
        if response.data == async_graphql::Value::Null {
            return Err(Stuck::Lasting(Box::new(response)));
        }
        let payload = to_json(&response).map_err(|error| Fault::Internal(error.to_string()))?;
        Ok(LiveItem {
            cursor: cursor.encode().into(),
            payload: payload.into(),
            known_since: None,
        })
    }
}
