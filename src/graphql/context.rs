//! The context of every resolver: the caller, and the domain.

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

/// A signed-in caller, and the end of the sign-in.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who makes the request.
    pub actor: Actor,
    /// When the token expires; `None` for a key without an end.
    pub expires_at: Option<Timestamp>,
    /// The requested language, if it is supported.
    pub language: Option<Arc<str>>,
}

/// The state of one request. It is created for each request and never shared: the loaders return what this caller may see.
pub(super) struct Scope {
    pub caller: Caller,
    pub services: Arc<Services>,
    pub export_links: ExportLinks,
    /// The loaders. Messages of one subscription that are produced together share them.
    pub loaders: Arc<Loaders>,
    /// The language of all viewers who receive the same message of a subscription.
    pub language: Option<Arc<str>>,
    /// Read once, because each line of a page needs it.
    pub(super) known_reader: OnceCell<Reader>,
    /// Live cursors, read before all other data of the request.
    pub live_cursors: Arc<std::collections::HashMap<AccountId, LiveCursor>>,
    /// Whether the document may select a live cursor. One that is not among [`Self::live_cursors`] is read after other data.
    pub selects_live_cursor: bool,
}

impl Scope {
    pub(super) fn actor(&self) -> &Actor {
        &self.caller.actor
    }

    pub(super) fn now(&self) -> Timestamp {
        self.services.clock.now()
    }

    /// Returns the viewer that texts are written for. The contact of a member sets the language; for an API key the request
    /// does.
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

    /// Translates a fixed text to the viewer's language.
    pub(super) async fn in_words(&self, english: &str) -> Result<String, ApiError> {
        let reader = self.reader().await?;
        Ok(self.services.wording.fixed(english, &reader.locale))
    }
}

/// Returns the scope of the current request. Without one there is no signed-in caller.
pub(super) fn scope<'a>(ctx: &Context<'a>) -> Result<&'a Scope, ApiError> {
    ctx.data_opt::<Scope>().ok_or(ApiError::Unauthenticated)
}

/// Parses an id, if it is of this kind.
pub(super) fn parse_id(id: &ID, kind: IdKind) -> Option<GlobalId> {
    id.parse::<GlobalId>().ok().filter(|id| id.kind == kind)
}

/// Converts a public id to the type of the API.
pub(super) fn public_id(id: GlobalId) -> ID {
    ID(id.to_string())
}
