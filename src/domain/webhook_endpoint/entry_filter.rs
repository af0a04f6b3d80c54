//! The filter of an endpoint: which entries of the credit log it gets messages about.

use std::collections::HashSet;
use std::sync::Arc;

use crate::domain::event::Event;
use crate::domain::fault::{Fault, InvalidInput, QueryError};
use crate::domain::filter::AnyOf;
use crate::domain::ledger::credit_log::{CreditLog, CreditLogFilter};
use crate::primitives::actor::Actor;
use crate::primitives::ids::{AccountId, EntryId};

use super::model::WebhookEndpoint;

/// A filter of the credit log that is kept. It restricts something. It may list old entries alone, which a replay sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryFilter {
    conditions: CreditLogFilter,
    search: Option<String>,
}

impl EntryFilter {
    /// Keeps these conditions; `None` if they restrict nothing. `search` is the text that their words were parsed from. An empty list,
    /// which would list nothing ever, is refused.
    pub fn new(conditions: CreditLogFilter, search: Option<String>) -> Result<Option<Self>, InvalidInput> {
        for (field, is_empty) in [
            ("entryFilter.actorKinds", is_empty(&conditions.actor_kinds)),
            ("entryFilter.actorIds", is_empty(&conditions.actors)),
            ("entryFilter.kinds", is_empty(&conditions.kinds)),
            ("entryFilter.memberIds", is_empty(&conditions.member_ids)),
            ("entryFilter.sessionIds", is_empty(&conditions.session_ids)),
            ("entryFilter.topUpIds", is_empty(&conditions.top_up_ids)),
        ] {
            if is_empty {
                let message = "must not be empty: the endpoint would get no messages";
                return Err(InvalidInput::new(field, message));
            }
        }
        if conditions == CreditLogFilter::default() {
            return Ok(None);
        }
        let search = search.filter(|_| !conditions.search.words().is_empty());
        Ok(Some(Self { conditions, search }))
    }

    /// What it restricts.
    pub const fn conditions(&self) -> &CreditLogFilter {
        &self.conditions
    }

    /// The text of the search, as it was given.
    pub fn search(&self) -> Option<&str> {
        self.search.as_deref()
    }
}

fn is_empty<T: Ord>(list: &AnyOf<T>) -> bool {
    list.values().is_some_and(<[T]>::is_empty)
}

/// Leaves the events that the endpoint's filter lists, by the same look-up as that of live subscriptions. Without a filter that is all
/// of them. With one, all events are entries: the endpoint gets no other type.
pub(super) async fn listed(
    credit_log: &CreditLog,
    account_id: AccountId,
    endpoint: &WebhookEndpoint,
    mut events: Vec<Arc<Event>>,
) -> Result<Vec<Arc<Event>>, Fault> {
    let Some(filter) = &endpoint.entry_filter else {
        return Ok(events);
    };
    let ids: Vec<EntryId> = events.iter().filter_map(|event| event.content.entry_id()).collect();
    let listed = credit_log.listed(&Actor::System, account_id, filter.conditions(), &ids);
    let listed: HashSet<EntryId> = listed.await.map_err(QueryError::into_fault)?.into_iter().collect();
    events.retain(|event| event.content.entry_id().is_some_and(|id| listed.contains(&id)));
    Ok(events)
}
