//! Loads things by id in batches: the ids of a page's items are read in one statement.
//!
//! Each request has its own loaders. Shared loaders would show one caller what was read for another, and stale rows after a
//! mutation in the same request. For the latter reason nothing is cached between batches either.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};

use super::errors::ApiError;
use super::loads::{Loads, NoDelay};
use crate::domain::Services;
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::Balance;
use crate::domain::ledger::credit_log::{Entry, LotDraw, Names, NamingEntries};
use crate::domain::ledger::model::Lot;
use crate::domain::ledger::sessions::SessionView;
use crate::domain::member::{ApiKey, ApiKeyName, Contact, KnownAccount, Member};
use crate::domain::notification::model::{Delivery, InboxItem, NotificationAddress, NotificationSettings};
use crate::domain::top_up::TopUp;
use crate::domain::top_up::model::{Attempt, PaymentMethod, RetryRefusal, StoredDecision};
use crate::domain::troubleshooting::LastFindings;
use crate::domain::webhook_endpoint::model::{WebhookAttempt, WebhookEndpoint, WebhookMessage};
use crate::primitives::actor::{AccessError, Actor};
use crate::primitives::ids::{
    AccountId, AlertId, ApiKeyId, DeliveryId, EntryId, LotId, MemberId, NotificationAddressId, PaymentMethodId,
    SessionId, TopUpAttemptId, TopUpDecisionId, TopUpId, WebhookEndpointId, WebhookMessageId,
};

/// The services, and the caller that rows are read for.
struct Source {
    services: Arc<Services>,
    actor: Actor,
}

/// The loaders of one request.
///
/// Every viewer of a delivery may see its alert. The loaders `of_command` return what a command has created, or what it was
/// refused because of. They require only the permission of the command, which was checked before.
pub(super) struct Loaders {
    batches: DataLoader<Source>,
    loads: Loads,
}

/// Groups ids by account. Each account is read by separate statements, as a sharded database requires.
fn by_account<I>(keys: impl Iterator<Item = (AccountId, I)>) -> HashMap<AccountId, Vec<I>> {
    let mut accounts: HashMap<AccountId, Vec<I>> = HashMap::new();
    for (account_id, id) in keys {
        accounts.entry(account_id).or_default().push(id);
    }
    accounts
}

/// Returns what was read. What the caller may not see is left out, as if it did not exist.
fn reached<I, V>(result: Result<HashMap<I, V>, QueryError>) -> Result<HashMap<I, V>, ApiError> {
    match result {
        Err(QueryError::Access(AccessError::NotFound)) => Ok(HashMap::new()),
        result => Ok(result?),
    }
}

/// Declares a key with its loader and its method. All of them read account by account.
macro_rules! loaded {
    ($($key:ident($id:ty) => $method:ident -> $value:ty = |$source:ident, $account_id:ident, $ids:ident| $load:expr;)*) => {$(
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        struct $key(AccountId, $id);

        impl Loader<$key> for Source {
            type Value = $value;
            type Error = ApiError;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, $value>, ApiError> {
                let $source = self;
                let mut found = HashMap::with_capacity(keys.len());
                for ($account_id, $ids) in by_account(keys.iter().map(|key| (key.0, key.1))) {
                    let values = reached($load)?;
                    found.extend(values.into_iter().map(|(id, value)| ($key($account_id, id), value)));
                }
                Ok(found)
            }
        }

        impl Loaders {
            pub(super) async fn $method(&self, account_id: AccountId, id: $id) -> Result<Option<$value>, ApiError> {
                self.batches.load_one($key(account_id, id)).await
            }
        }
    )*};
}

loaded! {
    MemberKey(MemberId) => member -> Member =
        |source, account_id, ids| source.services.members.find_by_ids(&source.actor, account_id, &ids).await;
    ContactKey(MemberId) => contact -> Contact =
        |source, account_id, ids| source.services.members.contacts(&source.actor, account_id, &ids).await;
    SettingsKey(MemberId) => notification_settings -> NotificationSettings =
        |source, account_id, ids| source.services.notification_settings.of_members(&source.actor, account_id, &ids).await;
    NotificationAddressKey(NotificationAddressId) => notification_address -> NotificationAddress =
        |source, account_id, ids| source.services.notification_addresses.by_ids(&source.actor, account_id, &ids).await;
    DeliveredAlertKey(AlertId) => delivered_alert -> InboxItem =
        |source, account_id, ids| source.services.alerts.by_ids(&Actor::System, account_id, None, &ids).await;
    DeliveryKey(DeliveryId) => delivery -> Delivery =
        |source, account_id, ids| source.services.deliveries.by_ids(&source.actor, account_id, &ids).await;
    EntryKey(EntryId) => entry -> Entry =
        |source, account_id, ids| source.services.credit_log.entries_by_id(&source.actor, account_id, &ids).await;
    SessionEntriesKey(SessionId) => entries_of_session -> NamingEntries =
        |source, account_id, ids| source.services.credit_log.entries_of_sessions(&source.actor, account_id, &ids).await;
    TopUpEntriesKey(TopUpId) => entries_of_top_up -> NamingEntries =
        |source, account_id, ids| source.services.credit_log.entries_of_top_ups(&source.actor, account_id, &ids).await;
    ReversalsKey(EntryId) => reversals -> NamingEntries =
        |source, account_id, ids| source.services.credit_log.reversals_of(&source.actor, account_id, &ids).await;
    DrawsKey(EntryId) => draws -> Vec<LotDraw> =
        |source, account_id, ids| source.services.credit_log.draws_of(&source.actor, account_id, &ids).await;
    SessionKey(SessionId) => session -> SessionView = |source, account_id, ids| {
        let now = source.services.clock.now();
        source.services.sessions.by_ids(&source.actor, account_id, &ids, now).await
    };
    CommandSessionKey(SessionId) => session_of_command -> SessionView = |source, account_id, ids| {
        let now = source.services.clock.now();
        source.services.sessions.by_ids(&Actor::System, account_id, &ids, now).await
    };
    CommandEntryKey(EntryId) => entry_of_command -> Entry =
        |source, account_id, ids| source.services.credit_log.entries_by_id(&Actor::System, account_id, &ids).await;
    LotKey(LotId) => lot -> Lot =
        |source, account_id, ids| source.services.lots.by_ids(&source.actor, account_id, &ids).await;
    AttemptsKey(TopUpId) => attempts -> Vec<Attempt> =
        |source, account_id, ids| source.services.top_ups.attempts(&source.actor, account_id, &ids).await;
    CanRetryKey(TopUpId) => can_retry -> Result<(), RetryRefusal> =
        |source, account_id, ids| source.services.top_ups.can_retry(&source.actor, account_id, &ids).await;
    AttemptKey(TopUpAttemptId) => attempt -> Attempt =
        |source, account_id, ids| source.services.top_ups.attempts_by_ids(&source.actor, account_id, &ids).await;
    PaymentMethodKey(PaymentMethodId) => payment_method -> PaymentMethod =
        |source, account_id, ids| source.services.payment_methods.by_ids(&source.actor, account_id, &ids).await;
    DecisionKey(TopUpDecisionId) => decision -> StoredDecision =
        |source, account_id, ids| source.services.auto_top_ups.decisions_by_ids(&source.actor, account_id, &ids).await;
    WebhookEndpointKey(WebhookEndpointId) => webhook_endpoint -> WebhookEndpoint =
        |source, account_id, ids| source.services.webhook_endpoints.by_ids(&source.actor, account_id, &ids).await;
    WebhookMessageKey(WebhookMessageId) => webhook_message -> WebhookMessage =
        |source, account_id, ids| source.services.webhook_messages.by_ids(&source.actor, account_id, &ids).await;
    WebhookAttemptsKey(WebhookMessageId) => webhook_attempts -> Vec<WebhookAttempt> =
        |source, account_id, ids| source.services.webhook_messages.attempts(account_id, &ids).await;
    TopUpKey(TopUpId) => top_up -> TopUp =
        |source, account_id, ids| source.services.top_ups.by_ids(&source.actor, account_id, &ids).await;
}

/// Declares a key that is complete by itself, with its loader and its method.
macro_rules! loaded_by_id {
    ($($(#[$doc:meta])* $key:ident($id:ty) => $method:ident -> $value:ty = |$source:ident, $ids:ident| $load:expr;)*) => {$(
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        struct $key($id);

        impl Loader<$key> for Source {
            type Value = $value;
            type Error = ApiError;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, $value>, ApiError> {
                let ($source, $ids) = (self, keys.iter().map(|key| key.0).collect::<Vec<$id>>());
                let found = $load?;
                Ok(found.into_iter().map(|(id, value)| ($key(id), value)).collect())
            }
        }

        impl Loaders {
            $(#[$doc])*
            pub(super) async fn $method(&self, id: $id) -> Result<Option<$value>, ApiError> {
                self.batches.load_one($key(id)).await
            }
        }
    )*};
}

loaded_by_id! {
    AccountKey(AccountId) => account -> KnownAccount =
        |source, ids| source.services.accounts.find_by_ids(&source.actor, &ids).await;
    BalanceKey(AccountId) => balance -> Balance = |source, ids| {
        let reached: Vec<_> = ids.into_iter().filter(|id| source.actor.reaches(*id)).collect();
        source.services.ledger.balances(&reached).await
    };
    /// Loads the numbers of an account's last check, for callers that may read its log.
    LastFindingsKey(AccountId) => last_findings -> LastFindings =
        |source, ids| source.services.troubleshooting.last_findings(&source.actor, &ids).await;
    /// Loads the name of an API key. A viewer of what the key has done may see its name and nothing else.
    ApiKeyNameKey(ApiKeyId) => api_key_name -> ApiKeyName = |source, ids| source.services.api_keys.names(&ids).await;
    ApiKeyKey(ApiKeyId) => api_key -> ApiKey = |source, ids| source.services.api_keys.find_by_ids(&ids).await;
}

impl Loaders {
    /// Creates the loaders for one request of `actor`.
    pub(super) fn new(services: Arc<Services>, actor: Actor) -> Self {
        let loads = Loads::default();
        Self {
            batches: DataLoader::new(Source { services, actor }, loads.clone(), NoDelay),
            loads,
        }
    }

    /// Runs what uses the loaders. Outside they never return.
    pub(super) async fn run<F: Future>(&self, work: F) -> F::Output {
        self.loads.run(work).await
    }

    /// Loads members at once. Unlike [`Self::member`], it does not wait for other fields that need members.
    pub(super) async fn members_now(
        &self,
        account_id: AccountId,
        ids: &HashSet<MemberId>,
    ) -> Result<HashMap<MemberId, Member>, ApiError> {
        let keys: Vec<_> = ids.iter().map(|id| MemberKey(account_id, *id)).collect();
        let found = self.batches.loader().load(&keys).await?;
        Ok(found
            .into_iter()
            .map(|(MemberKey(_, id), member)| (id, member))
            .collect())
    }

    /// Loads sessions at once, as [`Self::members_now`] loads members.
    pub(super) async fn sessions_now(
        &self,
        account_id: AccountId,
        ids: &HashSet<SessionId>,
    ) -> Result<HashMap<SessionId, SessionView>, ApiError> {
        let keys: Vec<_> = ids.iter().map(|id| SessionKey(account_id, *id)).collect();
        let found = self.batches.loader().load(&keys).await?;
        Ok(found
            .into_iter()
            .map(|(SessionKey(_, id), session)| (id, session))
            .collect())
    }

    /// Loads names of members and sessions at once, by one statement.
    pub(super) async fn names_now(
        &self,
        account_id: AccountId,
        members: &HashSet<MemberId>,
        sessions: &HashSet<SessionId>,
    ) -> Result<Names, ApiError> {
        let Source { services, actor } = self.batches.loader();
        let members: Vec<_> = members.iter().copied().collect();
        let sessions: Vec<_> = sessions.iter().copied().collect();
        Ok(services
            .credit_log
            .names(actor, account_id, &members, &sessions)
            .await?)
    }

    /// Loads names of API keys at once, as [`Self::members_now`] loads members.
    pub(super) async fn api_key_names_now(
        &self,
        ids: &HashSet<ApiKeyId>,
    ) -> Result<HashMap<ApiKeyId, ApiKeyName>, ApiError> {
        let keys: Vec<_> = ids.iter().copied().map(ApiKeyNameKey).collect();
        let found = self.batches.loader().load(&keys).await?;
        Ok(found.into_iter().map(|(ApiKeyNameKey(id), name)| (id, name)).collect())
    }
}

/// Returns a row that another row refers to, and which must therefore exist.
pub(super) fn must_exist<T>(found: Option<T>, what: &str) -> Result<T, ApiError> {
    found.ok_or_else(|| Fault::Internal(format!("a row names a {what} that does not exist")).into())
}
