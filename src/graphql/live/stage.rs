//! The purpose of an execution of a subscription: to plan it, or to show one moment.
//!
//! A subscription is one operation that is executed many times. The first execution plans: its resolver checks the caller and
//! the arguments, and stores what it is interested in. Then there is one execution per message: the resolver finds the content
//! of the message in its context and yields it.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::Context;
use futures_util::stream;

use super::interest::{Interest, Topics};
use super::payload::LiveSignal;
use crate::domain::event::{Event, LiveCursor};
use crate::graphql::context::{Scope, scope};
use crate::graphql::errors::ApiError;
use crate::graphql::id::Id;
use crate::graphql::scalars::LiveCursorText;
use crate::primitives::ids::AccountId;

/// What a subscription follows.
#[derive(Clone, Debug)]
pub(in crate::graphql) struct Plan {
    pub account_id: AccountId,
    pub after: Option<LiveCursor>,
    /// The maximum number of events after the cursor that are replayed.
    pub replay_at_most: Option<i64>,
    pub interest: Interest,
}

/// The content of one message.
#[derive(Clone, Debug)]
pub(in crate::graphql) struct Moment {
    pub signal: LiveSignal,
    pub cursor: LiveCursor,
    pub replayed: bool,
    /// Empty unless the signal is ITEM.
    pub events: Arc<[Arc<Event>]>,
    /// What the subscription is about.
    pub interest: Arc<Interest>,
}

impl Moment {
    pub(in crate::graphql) const fn account_id(&self) -> AccountId {
        self.cursor.account_id
    }

    /// Returns the event, if the message is about one.
    pub(in crate::graphql) fn event(&self) -> Option<&Event> {
        self.events.first().map(AsRef::as_ref)
    }

    /// Returns the ids of the events that are relevant for these topics: each once, in order.
    pub(in crate::graphql) fn ids<I: PartialEq>(&self, topics: Topics, id: impl Fn(&Event) -> Option<I>) -> Vec<I> {
        let mut ids = Vec::new();
        let events = self
            .events
            .iter()
            .filter(|event| self.interest.concerns_as(topics, event));
        for id in events.filter_map(|event| id(event)) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }
}

/// The stage in the context data of each execution of a subscription.
pub(in crate::graphql) enum Stage {
    Plan(Arc<Mutex<Option<Plan>>>),
    Show(Moment),
}

/// The stream of a subscription's root field: empty during planning, otherwise one payload.
pub(in crate::graphql) type Shown<T> = stream::Iter<std::option::IntoIter<T>>;

/// Implements the root field of a subscription. `interest` returns what the caller may see, or a refusal; `payload` wraps a
/// moment.
pub(in crate::graphql) fn follow<T>(
    ctx: &Context<'_>,
    account_id: Option<Id<AccountId>>,
    (after, replay_at_most): (Option<&LiveCursorText>, Option<i32>),
    interest: impl FnOnce(&Scope, AccountId) -> Result<Interest, ApiError>,
    payload: impl FnOnce(Moment) -> T,
) -> Result<Shown<T>, ApiError> {
    let shown = match ctx.data_opt::<Stage>() {
        Some(Stage::Show(moment)) => Some(payload(moment.clone())),
        Some(Stage::Plan(planned)) => {
            let scope = scope(ctx)?;
            let account_id = account(scope, account_id)?;
            let plan = Plan {
                account_id,
                after: after.map(|text| decode(account_id, text)).transpose()?,
                replay_at_most: replay_at_most.map(checked_bound).transpose()?,
                interest: interest(scope, account_id)?,
            };
            *planned.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan);
            None
        }
        None => {
            return Err(ApiError::BadRequest(
                "subscriptions are not served here: use a WebSocket or Server-Sent Events".to_owned(),
            ));
        }
    };
    Ok(stream::iter(shown))
}

fn checked_bound(replay_at_most: i32) -> Result<i64, ApiError> {
    match replay_at_most {
        0.. => Ok(replay_at_most.into()),
        _ => Err(ApiError::invalid("replayAtMost", "must not be negative")),
    }
}

/// Returns the named account, if it exists for the caller.
fn account(scope: &Scope, named: Option<Id<AccountId>>) -> Result<AccountId, ApiError> {
    let account_id =
        match named {
            Some(id) => id.parts().map(|(account_id, _)| account_id),
            None => Some(scope.actor().own_account().ok_or_else(|| {
                ApiError::invalid("accountId", "is required: this API key is not bound to one account")
            })?),
        };
    account_id
        .filter(|account_id| scope.actor().reaches(*account_id))
        .ok_or_else(|| ApiError::invalid("accountId", "this account does not exist"))
}

/// Parses a cursor of a client.
pub(in crate::graphql) fn decode(account_id: AccountId, text: &LiveCursorText) -> Result<LiveCursor, ApiError> {
    LiveCursor::decode(account_id, &text.0).map_err(|invalid| ApiError::invalid("after", invalid.to_string()))
}
