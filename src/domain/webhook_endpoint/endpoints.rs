//! Endpoints: creating, changing and deleting them, and their secrets.
//!
//! The endpoints of an account are changed under its lock, so that their number is bounded. Those of the platform have no such row.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::domain::database::{Database, MayFault, Transaction, Work};
use crate::domain::fault::{Fault, InvalidInput, QueryError, Refused, UseCaseError};
use crate::domain::ledger::{Ledger, LockedAccount};
use crate::primitives::actor::{AccessError, Actor, Cause, Permission};
use crate::primitives::change::Change;
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::ids::{AccountId, IdMint, IdSeed, WebhookEndpointId};

use super::entry_filter::EntryFilter;
use super::error::{ChangeEndpointRefusal, CreateEndpointRefusal, FILTER_FITS_ENTRIES_ALONE, UpdateEndpointRefusal};
use super::model::{EndpointPatch, MOST_ENDPOINTS, NewEndpoint, SigningKeys, WebhookEndpoint, may_filter};
use super::transport::Transport;
use super::{require_endpoints, store};

/// Maximum length of a URL.
const LONGEST_URL: usize = 2_000;
/// Maximum length of a description, in characters.
const LONGEST_DESCRIPTION: usize = 500;

/// Use cases about endpoints. Cloning is cheap.
#[derive(Clone)]
pub struct Endpoints {
    database: Database,
    clock: Clock,
    ledger: Ledger,
    keys: SigningKeys,
    transport: Arc<dyn Transport>,
}

/// An endpoint with its new secret.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSecret {
    /// The endpoint.
    pub endpoint: WebhookEndpoint,
    /// The secret, `whsec_…`. It is not shown a second time.
    pub secret: String,
}

impl std::fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSecret")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// A request to create an endpoint.
struct Creation {
    new: NewEndpoint,
    by: Cause,
    /// Chosen once, for any number of runs of the transaction. By this id a run detects what an earlier run has committed.
    id: OnceLock<WebhookEndpointId>,
}

impl Endpoints {
    /// Use cases for the endpoints in `database`.
    pub fn new(
        (database, clock): (Database, Clock),
        ledger: Ledger,
        keys: SigningKeys,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self {
            database,
            clock,
            ledger,
            keys,
            transport,
        }
    }

    /// Returns the endpoints of an account, or of the platform, in the order of their creation.
    pub async fn list(&self, actor: &Actor, account_id: AccountId) -> Result<Vec<WebhookEndpoint>, QueryError> {
        require_endpoints(actor, account_id)?;
        Ok(store::endpoints(&self.database, account_id).await?)
    }

    /// Returns endpoints by id, also deleted ones.
    pub async fn by_ids(
        &self,
        actor: &Actor,
        account_id: AccountId,
        ids: &[WebhookEndpointId],
    ) -> Result<HashMap<WebhookEndpointId, WebhookEndpoint>, QueryError> {
        if !actor.reaches(account_id) {
            return Err(AccessError::NotFound.into());
        }
        require_endpoints(actor, account_id)?;
        Ok(store::endpoints_by_id(&self.database, account_id, ids).await?)
    }

    /// Creates an endpoint of an account or of the platform. It gets the events from now on. A filter needs the permission to read the
    /// credit log: which entries it lists reveals what they contain.
    pub async fn create(
        &self,
        actor: &Actor,
        account_id: AccountId,
        new: NewEndpoint,
    ) -> Result<NewSecret, UseCaseError<CreateEndpointRefusal>> {
        require_endpoints(actor, account_id)?;
        require_filter(actor, account_id, new.entry_filter.as_ref())?;
        if new.entry_filter.is_some() && !may_filter(&new.event_types) {
            return Err(InvalidInput::new("entryFilter", FILTER_FITS_ENTRIES_ALONE).into());
        }
        let creation = Arc::new(Creation {
            new: NewEndpoint {
                url: self.checked_url(&new.url)?,
                description: checked_description(new.description)?,
                ..new
            },
            by: actor.cause(None),
            id: OnceLock::new(),
        });
        let created = self.change(account_id, move |tx, _, now| {
            let creation = Arc::clone(&creation);
            Box::pin(async move { create(tx, account_id, &creation, now).await })
        });
        Ok(self.with_secret(created.await?))
    }

    /// Changes an endpoint.
    pub async fn update(
        &self,
        actor: &Actor,
        account_id: AccountId,
        id: WebhookEndpointId,
        patch: EndpointPatch,
    ) -> Result<WebhookEndpoint, UseCaseError<UpdateEndpointRefusal>> {
        require_endpoints(actor, account_id)?;
        if let Change::Set(filter) = &patch.entry_filter {
            require_filter(actor, account_id, Some(filter))?;
        }
        let patch = Arc::new(EndpointPatch {
            url: patch.url.map(|url| self.checked_url(&url)).transpose()?,
            description: patch.description.map(checked_description).transpose()?,
            ..patch
        });
        self.change(account_id, move |tx, locked, now| {
            let patch = Arc::clone(&patch);
            Box::pin(async move {
                let before = existing(tx, account_id, id).await?;
                let before = before.ok_or(Refused(UpdateEndpointRefusal::NotFound))?;
                if patch.expected_version.is_some_and(|version| version != before.version) {
                    return Err(Refused(UpdateEndpointRefusal::VersionConflict(Box::new(before))));
                }
                let after = before.clone().patched(&patch, now);
                if after.entry_filter.is_some() && !may_filter(&after.event_types) {
                    let is_set = patch.entry_filter != Change::Keep;
                    let field = if is_set { "entryFilter" } else { "eventTypes" };
                    return Err(Refused(UpdateEndpointRefusal::FilterOfOtherTypes(field)));
                }
                if after != before {
                    store::save_endpoint(tx, &after).await?;
                    announce_repair(tx, locked, (&before, &after)).await?;
                }
                Ok(after)
            })
        })
        .await
    }

    /// Deletes an endpoint. It gets nothing more; its messages stay until they are tidied.
    pub async fn delete(
        &self,
        actor: &Actor,
        account_id: AccountId,
        id: WebhookEndpointId,
    ) -> Result<WebhookEndpoint, UseCaseError<ChangeEndpointRefusal>> {
        require_endpoints(actor, account_id)?;
        self.change(account_id, move |tx, locked, now| {
            Box::pin(async move {
                let found = store::locked_endpoint(tx, account_id, id).await?;
                let before = found.ok_or(Refused(ChangeEndpointRefusal::NotFound))?;
                if before.removed_at.is_some() {
                    return Ok(before);
                }
                let deleted = WebhookEndpoint {
                    removed_at: Some(now),
                    ..before.clone()
                };
                store::save_endpoint(tx, &deleted).await?;
                announce_repair(tx, locked, (&before, &deleted)).await?;
                Ok(deleted)
            })
        })
        .await
    }

    /// Makes a new secret. The one before signs too for a day.
    pub async fn rotate(
        &self,
        actor: &Actor,
        account_id: AccountId,
        id: WebhookEndpointId,
    ) -> Result<NewSecret, UseCaseError<ChangeEndpointRefusal>> {
        require_endpoints(actor, account_id)?;
        let before = store::endpoint(&self.database, account_id, id).await?;
        let seen = before
            .ok_or(Refused(ChangeEndpointRefusal::NotFound))?
            .secret_generation;
        let rotated = self.change(account_id, move |tx, _, now| {
            Box::pin(async move {
                let before = existing(tx, account_id, id).await?;
                let before = before.ok_or(Refused(ChangeEndpointRefusal::NotFound))?;
                // An earlier run of this transaction, or a concurrent request, has made the next secret.
                if before.secret_generation != seen {
                    return Ok(before);
                }
                let after = before.rotated(now);
                store::save_endpoint(tx, &after).await?;
                Ok(after)
            })
        });
        let rotated: Result<WebhookEndpoint, UseCaseError<ChangeEndpointRefusal>> = rotated.await;
        Ok(self.with_secret(rotated?))
    }

    /// Runs a change of endpoints: under the account's lock, or, for those of the platform, in a transaction of its own.
    async fn change<T, E, F>(&self, account_id: AccountId, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t Transaction, Option<&'t mut LockedAccount>, Timestamp) -> Work<'t, T, E>
            + Send
            + Sync
            + 'static,
        T: Send + 'static,
        E: MayFault + From<AccessError> + Send + 'static,
    {
        if account_id == AccountId::PLATFORM {
            let clock = self.clock.clone();
            return self.database.transaction(move |tx| work(tx, None, clock.now())).await;
        }
        self.ledger
            .change(account_id, move |tx, locked| {
                let now = locked.now;
                work(tx, Some(locked), now)
            })
            .await
    }

    fn with_secret(&self, endpoint: WebhookEndpoint) -> NewSecret {
        let secret = self
            .keys
            .text((endpoint.account_id, endpoint.id), endpoint.secret_generation);
        NewSecret { endpoint, secret }
    }

    fn checked_url(&self, url: &str) -> Result<String, InvalidInput> {
        let url = url.trim();
        if url.len() > LONGEST_URL {
            return Err(InvalidInput::new(
                "url",
                format!("must have at most {LONGEST_URL} characters"),
            ));
        }
        match self.transport.flaw(url) {
            Some(flaw) => Err(InvalidInput::new("url", flaw)),
            None => Ok(url.to_owned()),
        }
    }
}

fn checked_description(description: String) -> Result<String, InvalidInput> {
    if description.chars().count() > LONGEST_DESCRIPTION {
        let message = format!("must have at most {LONGEST_DESCRIPTION} characters");
        return Err(InvalidInput::new("description", message));
    }
    if description.chars().any(char::is_control) {
        return Err(InvalidInput::new("description", "must not contain control characters"));
    }
    Ok(description)
}

/// Refuses a filter of a caller who may not read the entries that it selects from.
fn require_filter(actor: &Actor, account_id: AccountId, filter: Option<&EntryFilter>) -> Result<(), AccessError> {
    match filter {
        None => Ok(()),
        Some(_) if account_id == AccountId::PLATFORM => actor.require_platform(Permission::ReadCreditLog),
        Some(_) => actor.require(account_id, Permission::ReadCreditLog),
    }
}

/// Announces that an endpoint that failures had disabled no longer needs attention. So its alert ends, and pages show it.
async fn announce_repair(
    tx: &Transaction,
    locked: Option<&mut LockedAccount>,
    (before, after): (&WebhookEndpoint, &WebhookEndpoint),
) -> Result<(), Fault> {
    match locked {
        Some(locked) if before.broken().is_some() && after.broken().is_none() => {
            locked.append_account_updated(tx).await
        }
        _ => Ok(()),
    }
}

/// Returns an endpoint that was not deleted.
async fn existing(
    tx: &Transaction,
    account_id: AccountId,
    id: WebhookEndpointId,
) -> Result<Option<WebhookEndpoint>, Fault> {
    let found = store::locked_endpoint(tx, account_id, id).await?;
    Ok(found.filter(|endpoint| endpoint.removed_at.is_none()))
}

async fn create(
    tx: &Transaction,
    account_id: AccountId,
    creation: &Creation,
    now: Timestamp,
) -> Result<WebhookEndpoint, UseCaseError<CreateEndpointRefusal>> {
    let minted = || WebhookEndpointId::from_uuid(IdMint::new(IdSeed::random(), now).next_uuid());
    let id = *creation.id.get_or_init(minted);
    let others = store::endpoints(tx, account_id).await?;
    if let Some(created) = others.iter().find(|other| other.id == id) {
        return Ok(created.clone());
    }
    if others.len() >= MOST_ENDPOINTS {
        return Err(Refused(CreateEndpointRefusal::Limit));
    }
    let endpoint = WebhookEndpoint {
        account_id,
        id,
        url: creation.new.url.clone(),
        description: creation.new.description.clone(),
        event_types: creation.new.event_types.clone(),
        entry_filter: creation.new.entry_filter.clone(),
        disabled: None,
        enabled_at: now,
        failing_since: None,
        secret_generation: 1,
        previous_secret_until: None,
        created_by: creation.by,
        created_at: now,
        removed_at: None,
        version: 1,
    };
    store::save_endpoint(tx, &endpoint).await?;
    Ok(endpoint)
}
