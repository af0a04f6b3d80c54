//! What every resolver finds in its context: who asks, and the domain.

use std::sync::Arc;

use async_graphql::{Context, ID};

use super::errors::ApiError;
use super::export_link::ExportLinks;
use super::loaders::Loaders;
use crate::domain::Services;
use crate::domain::event::LiveCursor;
use crate::primitives::actor::Actor;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, GlobalId, IdKind};

/// A signed-in caller and how long that holds.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who it is.
    pub actor: Actor,
    /// When the token runs out; `None` for keys without an end.
    pub expires_at: Option<Timestamp>,
}

/// One request's view of the world. Made for each request and never shared: the loaders answer for this caller alone.
pub(super) struct Scope {
    pub caller: Caller,
    pub services: Arc<Services>,
    pub export_links: ExportLinks,
    /// Messages of one subscription that are made together share theirs.
    pub loaders: Arc<Loaders>,
    /// Live cursors taken before anything else of the request was read.
    pub live_cursors: Arc<std::collections::HashMap<AccountId, LiveCursor>>,
}

impl Scope {
    pub(super) fn actor(&self) -> &Actor {
        &self.caller.actor
    }

    pub(super) fn now(&self) -> Timestamp {
        self.services.clock.now()
    }
}

/// The scope of the request that is being answered. Without one nobody is signed in.
pub(super) fn scope<'a>(ctx: &Context<'a>) -> Result<&'a Scope, ApiError> {
    ctx.data_opt::<Scope>().ok_or(ApiError::Unauthenticated)
}

/// The id taken apart, if it is one of this kind.
pub(super) fn parse_id(id: &ID, kind: IdKind) -> Option<GlobalId> {
    id.parse::<GlobalId>().ok().filter(|id| id.kind == kind)
}

/// A public id as the contract's type.
pub(super) fn public_id(id: GlobalId) -> ID {
    ID(id.to_string())
}
