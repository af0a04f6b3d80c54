//! Subscriptions: one implementation for all of them.
//!
//! A subscription is planned once and executed for each message (`stage`). It follows its account's stream of events from its
//! own position (`follower`). It shares its messages with all callers who may see the same (`audience`, `operation`). The root
//! fields belong to the domain modules: each declares what it is about (`interest`) and wraps a moment into its payload.
//!
//! Called by the transports through [`Schema::resume`]. Invariants: a message is never shared between callers who may not
//! see the same. A position is passed only after its events were delivered or found irrelevant. An idle subscription has no
//! task, timer, loaders or buffers. Every execution is paid for (`bill`).

mod audience;
mod bill;
mod followed;
mod follower;
mod interest;
mod operation;
mod page;
mod payload;
mod stage;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use async_graphql::Response;
use futures_util::stream::{self, Stream, StreamExt};

use super::Schema;
use super::context::Caller;
use super::errors::{self, ApiError, ErrorCode, refused_argument, refused_request};
use super::guard::Operation as Checked;
use super::loaders::Loaders;
use crate::domain::event::{Begin, LiveCursor};
use bill::{Bill, Unlimited};
use follower::Follower;
use interest::follow_findings;
use operation::Operation;

pub(super) use audience::Audiences;
pub use bill::Purse;
pub(super) use followed::Followed;
pub(super) use interest::{Interest, Topics};
pub(super) use operation::Documents;
pub(super) use page::{MomentPage, event_page};
pub(super) use payload::{LiveEvent, LiveSignal, live_event, subscriptions};
pub(super) use stage::{Moment, Shown, follow};
use stage::{Plan, Stage};

/// A message of a subscription.
#[derive(Clone, Debug)]
pub struct LiveItem {
    /// The position after the message, from which a client continues.
    pub cursor: Arc<str>,
    /// The result of the execution as JSON: an object with `data` and optional `errors`.
    pub payload: Arc<str>,
    /// When this process committed its last event, or heard of it; `None` in the history, and where that is not known.
    pub known_since: Option<Instant>,
}

/// Why a subscription ended.
#[derive(Debug)]
pub enum LiveEnd {
    /// It cannot continue: the response has errors and no data. The last cursor is still valid.
    Failed(Box<Response>),
    /// The caller is no longer signed in: the token expired, the key was revoked, or the member was removed.
    Revoked,
}

/// The messages of one subscription, in order. It continues until it is dropped, or yields the reason of its end as its last
/// item.
pub struct Live {
    messages: Pin<Box<dyn Stream<Item = Result<LiveItem, LiveEnd>> + Send>>,
    waits: Arc<AtomicBool>,
}

impl Live {
    /// Returns whether all known events had been delivered at the last poll.
    pub fn is_waiting(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }
}

impl Stream for Live {
    type Item = Result<LiveItem, LiveEnd>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.messages.poll_next_unpin(cx)
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

impl Schema {
    /// Starts a subscription that was checked. Refuses what this caller may not subscribe to. The caller may have signed in
    /// long ago, so the current rights are read here.
    pub async fn subscribe(&self, checked: Checked, caller: Caller) -> Result<Live, Box<Response>> {
        self.resume(checked, caller, None, Arc::new(Unlimited)).await
    }

    /// Like [`Self::subscribe`], but starts after the cursor `last`, if given, whatever the document contains. It is for
    /// transports that store the position themselves. Later executions are charged to `purse`.
    pub async fn resume(
        &self,
        checked: Checked,
        caller: Caller,
        last: Option<&str>,
        purse: Arc<dyn Purse>,
    ) -> Result<Live, Box<Response>> {
        let bill = Bill::new(purse, checked.cost);
        let operation = Operation::take(checked, &self.documents)?;
        let services = &self.services;
        let fault = |fault| Box::new(ApiError::from(fault).into_response());
        let mut plan = match self.plan(&operation, &caller).await {
            Ok(plan) => plan,
            Err(refused) => {
                // The rights may have been insufficient before and be sufficient now.
                let actor = services.current_rights.of(&caller.actor).await.map_err(fault)?;
                let actor = actor.filter(|actor| *actor != caller.actor).ok_or(refused)?;
                self.plan(
                    &operation,
                    &Caller {
                        actor,
                        ..caller.clone()
                    },
                )
                .await?
            }
        };
        if let Some(last) = last {
            let after = LiveCursor::decode(plan.account_id, last);
            let refused = |error| Box::new(refused_argument("Last-Event-ID", format!("Last-Event-ID {error}")));
            plan.after = Some(after.map_err(refused)?);
        }
        follow_findings(services, plan.account_id, &plan.interest)
            .await
            .map_err(fault)?;
        let listening = services
            .events
            .listen(
                plan.account_id,
                Begin {
                    after: plan.after,
                    viewer: caller.actor.member_id(),
                    replay_at_most: plan.replay_at_most,
                },
            )
            .await
            .map_err(fault)?;
        let Some(listening) = listening else {
            let message = "accountId: this account does not exist";
            return Err(Box::new(refused_argument("accountId", message)));
        };
        // Read after the end of the stream: later changes of rights arrive there.
        let actor = services.current_rights.of(&caller.actor).await.map_err(fault)?;
        let Some(actor) = actor else {
            return Err(Box::new(ApiError::Unauthenticated.into_response()));
        };
        let has_changed = actor != caller.actor;
        let caller = Caller { actor, ..caller };
        if has_changed {
            plan = self.plan(&operation, &caller).await?;
        }
        let aim = (plan.account_id, plan.interest);
        let language = self
            .language(&operation, &caller)
            .await
            .map_err(|error| Box::new(error.into_response()))?;
        let audience = self.audiences.join(self, &operation, aim, (&caller, language));
        // Boxed, so that a move copies only its address.
        let follower = Box::new(Follower::start(audience, caller, listening, bill));
        Ok(Live {
            waits: follower.waits(),
            messages: Box::pin(stream::unfold(Some(follower), async |follower| follower?.next().await)),
        })
    }

    /// Returns the caller's language, if messages are shared by language.
    async fn language(&self, operation: &Operation, caller: &Caller) -> Result<Option<Arc<str>>, ApiError> {
        if !operation.needs_language(&caller.actor) {
            return Ok(None);
        }
        let loaders = Arc::new(Loaders::new(Arc::clone(&self.services), caller.actor.clone()));
        let scope = self.scope(caller.clone(), &loaders, std::collections::HashMap::new());
        let reader = loaders.run(scope.reader()).await?;
        Ok(Some(reader.locale.as_str().into()))
    }

    /// Executes a subscription to find what it is about. A refusal is the response.
    async fn plan(&self, operation: &Operation, caller: &Caller) -> Result<Plan, Box<Response>> {
        let planned = Arc::new(Mutex::new(None));
        let loaders = Arc::new(Loaders::new(Arc::clone(&self.services), caller.actor.clone()));
        let scope = self.scope(caller.clone(), &loaders, std::collections::HashMap::new());
        let request = operation.request().data(scope).data(Stage::Plan(Arc::clone(&planned)));
        let refused = loaders.run(self.inner.execute_stream(request).next()).await;
        if let Some(mut response) = refused {
            errors::tidy(&mut response);
            return Err(Box::new(response));
        }
        let plan = planned.lock().unwrap_or_else(PoisonError::into_inner).take();
        plan.ok_or_else(|| {
            Box::new(refused_request(
                ErrorCode::BadRequest,
                "this selects nothing to subscribe to",
            ))
        })
    }
}
