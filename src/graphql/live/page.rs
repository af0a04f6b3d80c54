//! The event stream in pages, for clients that cannot keep a connection open.

use std::sync::Arc;

use super::interest::{Interest, follow_findings, in_inbox};
use super::payload::LiveSignal;
use super::stage::{Moment, decode};
use crate::domain::event::{Event, EventPage};
use crate::graphql::context::Scope;
use crate::graphql::errors::ApiError;
use crate::graphql::loaders::must_exist;
use crate::graphql::scalars::LiveCursorText;
use crate::primitives::ids::AccountId;
use crate::primitives::page::PageRequest;

/// The maximum number of events that one page examines, however few of them are relevant.
const MOST_LOOKED_AT: usize = 500;

/// Some moments of a stream, and the position after them.
pub(in crate::graphql) struct MomentPage {
    pub(in crate::graphql) moments: Vec<Moment>,
    pub(in crate::graphql) cursor: String,
    pub(in crate::graphql) has_more: bool,
}

/// Returns the first relevant moments after a cursor, one per event. Without a cursor: no moments, and the end of the stream.
pub(in crate::graphql) async fn event_page(
    scope: &Scope,
    account_id: AccountId,
    interest: Interest,
    after: Option<&LiveCursorText>,
    first: Option<i32>,
) -> Result<MomentPage, ApiError> {
    let after = after.map(|text| decode(account_id, text)).transpose()?;
    let request = PageRequest::new(first, after, None, None);
    let request = request.map_err(|error| ApiError::invalid(error.argument(), error.to_string()))?;
    follow_findings(&scope.services, account_id, &interest).await?;
    let events = &scope.services.events;
    let viewer = scope.actor().member_id();
    let page = events.page(account_id, request.after, viewer, MOST_LOOKED_AT).await?;
    let EventPage { start, events: found } = must_exist(page, "stream")?;
    let inbox = in_inbox(&scope.services, scope.actor(), account_id, &interest, &found).await?;
    let interest = Arc::new(interest);
    let moment = |signal, position, about: &[Arc<Event>]| Moment {
        signal,
        cursor: events.cursor(account_id, position),
        replayed: signal == LiveSignal::Item,
        events: about.into(),
        interest: Arc::clone(&interest),
    };
    let mut moments = Vec::new();
    let mut end = start.position;
    if start.is_reset {
        moments.push(moment(LiveSignal::Reset, end, &[]));
    }
    for event in found {
        if interest.concerns(&event) && inbox.holds(&event) {
            if moments.len() >= request.limit as usize {
                break;
            }
            moments.push(moment(LiveSignal::Item, event.position, std::slice::from_ref(&event)));
        }
        end = event.position;
    }
    Ok(MomentPage {
        moments,
        cursor: events.cursor(account_id, end).encode(),
        has_more: end.sequence < start.head.sequence,
    })
}
