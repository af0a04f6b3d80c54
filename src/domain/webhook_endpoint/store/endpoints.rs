//! Rows of endpoints.

use std::collections::{BTreeSet, HashMap};

use entity::webhook_endpoint;
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use super::super::model::{DisabledReason, WebhookEndpoint, WebhookEventType};
use super::entry_filter::{filter_of, text_of};
use super::unreadable;
use crate::domain::database::bulk::Record;
use crate::domain::database::records::{self, FromRow, column_list};
use crate::domain::database::select::{Condition, Select, Source};
use crate::domain::database::{Database, Transaction};
use crate::domain::fault::Fault;
use crate::primitives::actor::Cause;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, WebhookEndpointId};

const TABLE: &str = "webhook_endpoint";

/// An endpoint as it is stored.
#[derive(Record, FromRow)]
struct EndpointRow {
    account_id: AccountId,
    id: WebhookEndpointId,
    url: String,
    description: String,
    /// A JSON list of names.
    event_types: String,
    /// JSON: see `entry_filter.rs`.
    entry_filter: Option<String>,
    disabled_at: Option<Timestamp>,
    disabled_because: Option<DisabledReason>,
    enabled_at: Timestamp,
    failing_since: Option<Timestamp>,
    secret_generation: i32,
    previous_secret_until: Option<Timestamp>,
    #[record(flatten, prefix = "maker_")]
    maker: Cause,
    created_at: Timestamp,
    removed_at: Option<Timestamp>,
    version: i32,
}

impl EndpointRow {
    fn endpoint(self) -> Result<WebhookEndpoint, Fault> {
        Ok(WebhookEndpoint {
            account_id: self.account_id,
            id: self.id,
            url: self.url,
            description: self.description,
            event_types: types_of(&self.event_types)?,
            entry_filter: self.entry_filter.as_deref().map(filter_of).transpose()?,
            disabled: self.disabled_at.zip(self.disabled_because),
            enabled_at: self.enabled_at,
            failing_since: self.failing_since,
            secret_generation: self.secret_generation,
            previous_secret_until: self.previous_secret_until,
            created_by: self.maker,
            created_at: self.created_at,
            removed_at: self.removed_at,
            version: self.version,
        })
    }
}

fn types_of(json: &str) -> Result<BTreeSet<WebhookEventType>, Fault> {
    let names: Vec<String> = serde_json::from_str(json).map_err(|_| unreadable("list of event types", json))?;
    let types = names.iter();
    types
        .map(|name| WebhookEventType::from_text(name).ok_or_else(|| unreadable("type of events", name)))
        .collect()
}

async fn read(select: Select, source: &impl Source) -> Result<Vec<WebhookEndpoint>, Fault> {
    let rows: Vec<EndpointRow> = select.records(source).await?;
    rows.into_iter().map(EndpointRow::endpoint).collect()
}

/// Returns the endpoints of an account or of the platform that were not deleted, in the order of their creation.
pub(in super::super) async fn endpoints(
    source: &impl Source,
    account_id: AccountId,
) -> Result<Vec<WebhookEndpoint>, Fault> {
    let mut select = Select::from::<EndpointRow>(source, account_id, TABLE);
    select.push(" AND removed_at IS NULL ORDER BY created_at, id");
    read(select, source).await
}

/// Returns endpoints by id, also deleted ones.
pub(in super::super) async fn endpoints_by_id(
    database: &Database,
    account_id: AccountId,
    ids: &[WebhookEndpointId],
) -> Result<HashMap<WebhookEndpointId, WebhookEndpoint>, Fault> {
    let found = read(
        Select::by_ids::<EndpointRow>(database, account_id, TABLE, ids),
        database,
    )
    .await?;
    Ok(records::by_id(found, |endpoint: &WebhookEndpoint| endpoint.id))
}

/// Returns an endpoint by id, also a deleted one.
pub(in super::super) async fn endpoint(
    source: &impl Source,
    account_id: AccountId,
    id: WebhookEndpointId,
) -> Result<Option<WebhookEndpoint>, Fault> {
    let mut select = Select::from::<EndpointRow>(source, account_id, TABLE);
    select.push(" AND id = ").bind(id.uuid());
    Ok(read(select, source).await?.pop())
}

/// As [`endpoint`], locked until the end of the transaction: no attempt changes it meanwhile, and no other request.
pub(in super::super) async fn locked_endpoint(
    tx: &Transaction,
    account_id: AccountId,
    id: WebhookEndpointId,
) -> Result<Option<WebhookEndpoint>, Fault> {
    let mut select = Select::from::<EndpointRow>(tx, account_id, TABLE);
    select.push(" AND id = ").bind(id.uuid());
    // SQLite has no row locks and needs none: the transaction holds its write lock from the beginning.
    if tx.get_database_backend() == DbBackend::Postgres {
        select.push(" FOR UPDATE");
    }
    Ok(read(select, tx).await?.pop())
}

/// Returns the enabled endpoints of these accounts.
pub(in super::super) async fn enabled_of(
    database: &Database,
    accounts: Vec<AccountId>,
) -> Result<Vec<WebhookEndpoint>, Fault> {
    read(enabled(database, &column_list::<EndpointRow>(), accounts), database).await
}

fn enabled(database: &Database, columns: &str, accounts: Vec<AccountId>) -> Select {
    let text = format!("SELECT {columns} FROM {TABLE} WHERE disabled_at IS NULL AND removed_at IS NULL AND ");
    let mut select = Select::across(database, &text);
    select.condition(&Condition::Accounts("account_id", accounts));
    select
}

/// Returns since when each of these accounts has an enabled endpoint, once for each of its endpoints. Their filters are not read: one that
/// cannot be read concerns its account alone.
pub(in super::super) async fn enabled_since(
    database: &Database,
    accounts: Vec<AccountId>,
) -> Result<Vec<(AccountId, Timestamp)>, Fault> {
    enabled(database, "account_id, enabled_at", accounts)
        .values(database)
        .await
}

/// An endpoint that failures have disabled.
#[derive(Clone, Debug, Record, FromRow)]
pub(in crate::domain) struct BrokenEndpoint {
    /// Its id.
    pub(in crate::domain) id: WebhookEndpointId,
    /// Where messages were sent.
    pub(in crate::domain) url: String,
    /// The note of its team.
    pub(in crate::domain) description: String,
    /// When it was disabled.
    pub(in crate::domain) disabled_at: Timestamp,
    /// Why.
    pub(in crate::domain) disabled_because: DisabledReason,
}

/// Returns the endpoints of an account that failures have disabled, and that were neither enabled nor deleted since.
pub(in crate::domain) async fn broken_of(
    source: &impl Source,
    account_id: AccountId,
) -> Result<Vec<BrokenEndpoint>, Fault> {
    let mut select = Select::from::<BrokenEndpoint>(source, account_id, TABLE);
    select
        .push(" AND removed_at IS NULL AND disabled_at IS NOT NULL AND disabled_because <> ")
        .bind(DisabledReason::Requested.as_str())
        .push(" ORDER BY created_at, id");
    select.records(source).await
}

/// Inserts or updates the row of an endpoint.
pub(in super::super) async fn save_endpoint(tx: &Transaction, endpoint: &WebhookEndpoint) -> Result<(), Fault> {
    let names: Vec<&str> = endpoint.event_types.iter().map(|one| one.as_str()).collect();
    let row = EndpointRow {
        account_id: endpoint.account_id,
        id: endpoint.id,
        url: endpoint.url.clone(),
        description: endpoint.description.clone(),
        event_types: serde_json::to_string(&names).map_err(|error| Fault::Internal(error.to_string()))?,
        entry_filter: endpoint.entry_filter.as_ref().map(text_of).transpose()?,
        disabled_at: endpoint.disabled.map(|(at, _)| at),
        disabled_because: endpoint.disabled.map(|(_, because)| because),
        enabled_at: endpoint.enabled_at,
        failing_since: endpoint.failing_since,
        secret_generation: endpoint.secret_generation,
        previous_secret_until: endpoint.previous_secret_until,
        maker: endpoint.created_by,
        created_at: endpoint.created_at,
        removed_at: endpoint.removed_at,
        version: endpoint.version,
    };
    records::save::<webhook_endpoint::Entity>(tx, &row).await
}

async fn update(tx: &Transaction, sql: &str, values: Vec<Value>) -> Result<u64, Fault> {
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

/// Records that an attempt failed, unless attempts have been failing.
pub(in super::super) async fn note_failure(
    tx: &Transaction,
    (account_id, id): (AccountId, WebhookEndpointId),
    now: Timestamp,
) -> Result<(), Fault> {
    let sql =
        "UPDATE webhook_endpoint SET failing_since = $3 WHERE account_id = $1 AND id = $2 AND failing_since IS NULL";
    update(tx, sql, vec![account_id.into(), id.into(), now.into()]).await?;
    Ok(())
}

/// Records that an attempt succeeded.
pub(in super::super) async fn note_success(
    tx: &Transaction,
    (account_id, id): (AccountId, WebhookEndpointId),
) -> Result<(), Fault> {
    let sql = "UPDATE webhook_endpoint SET failing_since = NULL \
               WHERE account_id = $1 AND id = $2 AND failing_since IS NOT NULL";
    update(tx, sql, vec![account_id.into(), id.into()]).await?;
    Ok(())
}

/// Disables an endpoint, unless it was changed since this version or is disabled. One that fails is not disabled if an attempt has
/// succeeded since. Returns whether it was enabled.
pub(in super::super) async fn disable(
    tx: &Transaction,
    endpoint: &WebhookEndpoint,
    because: DisabledReason,
    now: Timestamp,
) -> Result<bool, Fault> {
    let sql = "UPDATE webhook_endpoint SET disabled_at = $4, disabled_because = $5, version = version + 1 \
               WHERE account_id = $1 AND id = $2 AND version = $3 AND disabled_at IS NULL AND removed_at IS NULL \
               AND ($5 = $6 OR failing_since = $7)";
    let values = vec![
        endpoint.account_id.into(),
        endpoint.id.into(),
        endpoint.version.into(),
        now.into(),
        because.as_str().into(),
        DisabledReason::Gone.as_str().into(),
        endpoint.failing_since.map(Timestamp::millis).into(),
    ];
    Ok(update(tx, sql, values).await? == 1)
}
