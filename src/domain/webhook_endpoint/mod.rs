//! Outgoing webhooks: messages about events to endpoints of teams and of the platform, by the Standard Webhooks specification.
//!
//! GraphQL manages the endpoints. Two workers call the rest: `Collecting` goes through the events of accounts and writes messages,
//! `Sending` sends them. `app` passes it the adapter that makes the requests. The webhooks that the payment gateway sends to us are in
//! `top_up`.
//!
//! Invariants:
//! - The messages about an event and the checkpoint behind it are one transaction. So each event has one message for each endpoint that
//!   gets it, in any number of processes.
//! - A message is claimed before it is sent. A claim runs out, so that a process that dies loses nothing. The same message may then
//!   arrive twice, with the same `webhook-id`.
//! - Whether an endpoint still gets messages is decided again when one is sent.
//! - A secret is never stored: it follows from the secret of the installation.

mod collecting;
mod endpoints;
mod entry_filter;
mod error;
mod messages;
mod sending;
mod store;
mod transport;

pub use collecting::Collecting;
pub(in crate::domain) use collecting::collected_until;
pub use endpoints::{Endpoints, NewSecret};
pub use entry_filter::EntryFilter;
pub use error::{
    ChangeEndpointRefusal, CreateEndpointRefusal, ReplayRefusal, RetryMessageRefusal, TestEndpointRefusal,
    UpdateEndpointRefusal,
};
pub use messages::{MessageFilter, MessagePosition, Messages, Replayed};
pub use sending::{Claimed, Sending, Target};
pub(in crate::domain) use store::broken_of;
pub use transport::{Answer, Posting, Request, Transport};

/// The models of the core, with the filter of this module.
pub mod model {
    pub use ledgerbell_core::webhook_endpoint::*;

    use super::EntryFilter;

    /// An endpoint with its filter of entries.
    pub type WebhookEndpoint = ledgerbell_core::webhook_endpoint::WebhookEndpoint<EntryFilter>;
    /// An endpoint to be created.
    pub type NewEndpoint = ledgerbell_core::webhook_endpoint::NewEndpoint<EntryFilter>;
    /// A change of an endpoint.
    pub type EndpointPatch = ledgerbell_core::webhook_endpoint::EndpointPatch<EntryFilter>;
}

use crate::primitives::actor::{AccessError, Actor, Permission};
use crate::primitives::ids::AccountId;

/// Refuses unless the caller manages the endpoints of an account, or of the platform.
fn require_endpoints(actor: &Actor, account_id: AccountId) -> Result<(), AccessError> {
    if account_id == AccountId::PLATFORM {
        actor.require_platform(Permission::ManageAccounts)
    } else {
        actor.require(account_id, Permission::ManageSettings)
    }
}
