//! The GraphQL API: one module per domain, each of which converts values of `domain` to the types of the contract.
//!
//! Called by `http` with a parsed request and its caller. Invariants: a resolver calls one use case and decides nothing.
//! Nothing here names tables, the ORM or adapters. Every error has a code of the closed list (`errors`), every refusal is data
//! (`refusals`), and rows are read by id only through the request's own loaders (`loaders`).
//!
//! The comments of types, fields and arguments are published: they are written for clients.

mod by_id;
mod connection;
mod context;
mod description;
mod errors;
mod export_link;
mod forecast;
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod id;
mod inputs;
mod introspection;
mod ledger;
mod live;
mod loaders;
mod loads;
mod member;
mod node;
mod notification;
mod payload;
mod refusals;
mod rows;
mod scalars;
mod top_up;
mod troubleshooting;
mod viewer;
mod webhook_endpoint;

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{MergedObject, MergedSubscription, Response};

use crate::domain::Services;
use crate::domain::event::LiveCursor;
use crate::primitives::ids::AccountId;

use context::Scope;
use guard::Guard;
use introspection::Introspections;
use loaders::Loaders;

pub use context::Caller;
pub use errors::{ApiError, ErrorCode, code_of, rate_limited, refused_request, retry_after_seconds};
pub use export_link::{EXPORTED_ENTRY, ExportLinks, ExportOrder, InvalidLink, Requester};
pub use guard::{InvalidManifest, Limits, Operation, OperationKind, Parameters, TrustedDocuments};
pub(crate) use guard::{NUL, altered_number};
pub use live::{Live, LiveEnd, LiveItem, Purse};
pub use rows::to_json;

/// All queries.
#[derive(MergedObject, Default)]
pub struct Query(
    member::MemberQuery,
    node::NodeQuery,
    top_up::OperatorQuery,
    webhook_endpoint::EndpointQuery,
);

/// All mutations. A refused mutation returns userErrors, with the changed object null.
#[derive(MergedObject, Default)]
pub struct Mutation(
    ledger::SessionMutation,
    member::AccountMutation,
    member::MemberMutation,
    member::MemberTokenMutation,
    ledger::CreditMutation,
    member::ApiKeyMutation,
    top_up::TopUpMutation,
    top_up::OperatorMutation,
    notification::SettingsMutation,
    notification::DefaultsMutation,
    notification::ContactMutation,
    notification::AddressMutation,
    notification::AlertMutation,
    webhook_endpoint::EndpointMutation,
);

/// All subscriptions. Every event carries a cursor. With `after`, all events since that cursor are sent first, then new events
/// as they happen: in order, without gaps and duplicates, across reconnects and servers. Objects in events have their current
/// state.
#[derive(MergedSubscription, Default)]
pub struct Subscription(
    ledger::LedgerSubscription,
    member::AccountSubscription,
    top_up::TopUpSubscription,
    notification::AlertSubscription,
    troubleshooting::TroubleshootingSubscription,
);

type Inner = async_graphql::Schema<Query, Mutation, Subscription>;

/// The schema with its services.
#[derive(Clone)]
pub struct Schema {
    inner: Inner,
    guard: Arc<Guard>,
    services: Arc<Services>,
    export_links: ExportLinks,
    introspections: Introspections,
    documents: live::Documents,
    audiences: live::Audiences,
}

/// Builds the schema of a server.
pub fn build_schema(services: Services, export_links: ExportLinks, limits: Limits) -> Schema {
    Schema {
        inner: bare_schema(),
        guard: Arc::new(Guard::new(limits)),
        services: Arc::new(services),
        export_links,
        introspections: Introspections::default(),
        documents: live::Documents::default(),
        audiences: live::Audiences::default(),
    }
}

/// Returns the schema in its definition language, as published.
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new().use_space_ident();
    bare_schema().sdl_with_options(options)
}

fn bare_schema() -> Inner {
    Inner::build(Query::default(), Mutation::default(), Subscription::default())
        .register_output_type::<payload::MutationPayload>()
        .register_output_type::<node::Node>()
        .register_output_type::<live::LiveEvent>()
        .disable_suggestions()
        .finish()
}

impl Schema {
    /// Returns the operation of a request. An operation that costs too much, or whose document is not valid, is refused here,
    /// without a query to the database.
    pub fn check(&self, parameters: Parameters) -> Result<Operation, Box<Response>> {
        self.guard.check(parameters)
    }

    /// Returns the maximum cost of one operation.
    pub fn budget(&self) -> u64 {
        self.guard.budget()
    }

    /// Executes a query or a mutation. Without a caller, only introspection returns data.
    pub async fn execute(&self, operation: Operation, caller: Option<Caller>) -> Response {
        let Operation {
            mut request,
            selects_schema,
            followed,
            ..
        } = operation;
        let mut response = if let Some(caller) = caller {
            let selects_live_cursor = followed.is_some();
            let live_cursors = match self.live_cursors(followed, &caller).await {
                Ok(live_cursors) => live_cursors,
                Err(error) => return error.into_response(),
            };
            let loaders = Arc::new(Loaders::new(Arc::clone(&self.services), caller.actor.clone()));
            request = request.data(Scope {
                selects_live_cursor,
                ..self.scope(caller, &loaders, live_cursors)
            });
            loaders.run(self.inner.execute(request)).await
        } else {
            self.inner.execute(request).await
        };
        errors::tidy(&mut response);
        if selects_schema {
            description::describe(&mut response);
        }
        response
    }

    /// Returns the scope of a request that may select a live cursor.
    fn scope(&self, caller: Caller, loaders: &Arc<Loaders>, live_cursors: HashMap<AccountId, LiveCursor>) -> Scope {
        Scope {
            caller,
            services: Arc::clone(&self.services),
            export_links: self.export_links.clone(),
            loaders: Arc::clone(loaders),
            language: None,
            known_reader: tokio::sync::OnceCell::new(),
            live_cursors: Arc::new(live_cursors),
            selects_live_cursor: true,
        }
    }

    /// Reads the requested live cursors before all other data of the request. The fields of one response are read concurrently.
    /// A change between two of them must come after the cursor; otherwise it is missed.
    async fn live_cursors(
        &self,
        followed: Option<Vec<AccountId>>,
        caller: &Caller,
    ) -> Result<HashMap<AccountId, LiveCursor>, ApiError> {
        let mut cursors = HashMap::new();
        let Some(named) = followed else {
            return Ok(cursors);
        };
        for account_id in caller.actor.own_account().into_iter().chain(named) {
            if !caller.actor.reaches(account_id) || cursors.contains_key(&account_id) || cursors.len() > MOST_CURSORS {
                continue;
            }
            if let Some(cursor) = self.services.events.present(account_id).await? {
                cursors.insert(account_id, cursor);
            }
        }
        Ok(cursors)
    }
}

/// The maximum number of accounts whose live cursors one request can read, in addition to the caller's own.
const MOST_CURSORS: usize = 100;
