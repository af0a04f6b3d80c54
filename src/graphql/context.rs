//! What every resolver finds in its context: who asks, and the domain.

use std::sync::Arc;

use async_graphql::{Context, ID};
use tokio::sync::OnceCell;

use super::errors::ApiError;
use super::export_link::ExportLinks;
use super::loaders::Loaders;
use crate::domain::Services;
use crate::domain::event::LiveCursor;
use crate::domain::notification::Reader;
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
    /// The language that the request asks for, of those that are spoken.
    pub language: Option<Arc<str>>,
}

/// One request's view of the world. Made for each request and never shared: the loaders answer for this caller alone.
pub(super) struct Scope {
    pub caller: Caller,
    pub services: Arc<Services>,
    pub export_links: ExportLinks,
    /// Messages of one subscription that are made together share theirs.
    pub loaders: Arc<Loaders>,
    /// The language of all who are shown the same message of a subscription.
    pub language: Option<Arc<str>>,
    /// Read once: each line of a page asks for it.
    pub(super) known_reader: OnceCell<Reader>,
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

    /// For whom things are written: a member as their contact says, an API key in the language that its request asks for.
    pub(super) async fn reader(&self) -> Result<&Reader, ApiError> {
        self.known_reader.get_or_try_init(|| self.read_reader()).await
    }

    async fn read_reader(&self) -> Result<Reader, ApiError> {
        let asked_for = self.caller.language.as_deref().map(|language| Reader {
            locale: language.to_owned(),
            ..Reader::default()
        });
        let member = self.actor().own_account().zip(self.actor().member_id());
        let contact = match member {
            Some((account_id, member_id)) => self.loaders.contact(account_id, member_id).await?,
            None => None,
        };
        let mut reader = contact.map_or_else(
            || asked_for.unwrap_or_default(),
            |contact| Reader {
                locale: contact.locale,
                timezone: contact.timezone,
            },
        );
        if let Some(language) = &self.language {
            reader.locale = language.to_string();
        }
        Ok(reader)
    }

    /// A text of ours that is always the same, in the viewer's language.
    pub(super) async fn in_words(&self, english: &str) -> Result<String, ApiError> {
        let reader = self.reader().await?;
        Ok(self.services.wording.fixed(english, &reader.locale))
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
