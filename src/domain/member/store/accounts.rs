//! SQL of the installation, the directory of external ids, and accounts.

use chrono_tz::Tz;
use entity::{account, account_directory, installation};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, TryInsertResult};
use uuid::Uuid;

use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, FromRow, columns_of};
use crate::domain::database::select::{Condition, Select};
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::{LogEnd, search};
use crate::domain::ledger::model::AccountStatus;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, may_be_external_id};
use crate::primitives::money::{CreditPrice, Currency};

use super::super::KnownAccount;
use super::super::model::{Account, Installation, grace_hours};
use super::account_words::{save_words, search_text};

/// The installation's only row.
const INSTALLATION: i32 = 1;

pub(in super::super) async fn installation(connection: &impl ConnectionTrait) -> Result<Option<Installation>, Fault> {
    let row = installation::Entity::find_by_id(INSTALLATION).one(connection).await?;
    Ok(row.map(|row| Installation { epoch: row.epoch }))
}

/// Creates the installation unless it exists.
pub(in super::super) async fn make_installation(tx: &impl ConnectionTrait, now: Timestamp) -> Result<(), Fault> {
    let row = installation::Model {
        id: INSTALLATION,
        epoch: Uuid::new_v4(),
        // 0 is the platform's number.
        next_account_id: 1,
        created_at: now.millis(),
        search_form: search::FORM,
    };
    installation::Entity::insert(row.into_active_model())
        .on_conflict_do_nothing_on([installation::Column::Id])
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Takes `count` account numbers and returns the first.
pub(in super::super) async fn take_account_numbers(tx: &impl ConnectionTrait, count: i64) -> Result<i64, Fault> {
    installation::Entity::update_many()
        .col_expr(
            installation::Column::NextAccountId,
            Expr::col(installation::Column::NextAccountId).add(count),
        )
        .filter(installation::Column::Id.eq(INSTALLATION))
        .exec(tx)
        .await?;
    installation::Entity::find_by_id(INSTALLATION)
        .one(tx)
        .await?
        .map(|row| row.next_account_id - count)
        .ok_or_else(|| Fault::Internal("there is no installation row".to_owned()))
}

pub(in super::super) async fn account_id(
    connection: &impl ConnectionTrait,
    external_id: &str,
) -> Result<Option<AccountId>, Fault> {
    if !may_be_external_id(external_id) {
        return Ok(None);
    }
    let row = account_directory::Entity::find_by_id(external_id)
        .one(connection)
        .await?;
    Ok(row.map(|row| AccountId::from_number(row.account_id)))
}

pub(in super::super) async fn account_ids(
    connection: &impl ConnectionTrait,
    external_ids: &[String],
) -> Result<Vec<AccountId>, Fault> {
    let external_ids = external_ids
        .iter()
        .filter(|external_id| may_be_external_id(external_id));
    let rows = account_directory::Entity::find()
        .filter(account_directory::Column::ExternalId.is_in(external_ids))
        .all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| AccountId::from_number(row.account_id))
        .collect())
}

/// Assigns the external id to the account; returns `false` when another account has it.
pub(in super::super) async fn claim_external_id(
    tx: &impl ConnectionTrait,
    external_id: &str,
    account_id: AccountId,
) -> Result<bool, Fault> {
    let row = account_directory::Model {
        external_id: external_id.to_owned(),
        account_id: account_id.number(),
    };
    let inserted = account_directory::Entity::insert(row.into_active_model())
        .on_conflict_do_nothing_on([account_directory::Column::ExternalId])
        .exec_without_returning(tx)
        .await?;
    Ok(matches!(inserted, TryInsertResult::Inserted(1..)))
}

pub(in super::super) async fn release_external_id(
    tx: &impl ConnectionTrait,
    external_id: &str,
    account_id: AccountId,
) -> Result<(), Fault> {
    account_directory::Entity::delete_many()
        .filter(account_directory::Column::ExternalId.eq(external_id))
        .filter(account_directory::Column::AccountId.eq(account_id.number()))
        .exec(tx)
        .await?;
    Ok(())
}

pub(in super::super) async fn account(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<Option<Account>, Fault> {
    let found = accounts(connection, &[account_id]).await?;
    Ok(found.into_iter().next().map(|(known, _)| known.account))
}

/// Returns accounts, each with its status.
pub(in super::super) async fn accounts(
    connection: &impl ConnectionTrait,
    account_ids: &[AccountId],
) -> Result<Vec<(KnownAccount, AccountStatus)>, Fault> {
    let sql = format!(
        "SELECT {}, {} FROM account a JOIN account_state s ON s.account_id = a.account_id WHERE ",
        columns_of::<AccountRow>("a"),
        columns_of::<State>("s"),
    );
    let mut select = Select::across(connection, &sql);
    select.condition(&Condition::Accounts("a.account_id", account_ids.to_vec()));
    select.push(" AND ");
    select.condition(&Condition::Accounts("s.account_id", account_ids.to_vec()));
    let found: Vec<Found> = select.records(connection).await?;
    Ok(found.into_iter().map(Found::account).collect())
}

pub(in super::super) async fn insert_account(tx: &impl ConnectionTrait, account: &Account) -> Result<(), Fault> {
    let row = AccountRow::of(account);
    records::insert_all::<account::Entity>(tx, &Rows::of([&row])).await?;
    Ok(save_words(tx, account.id, &row.search_text.unwrap_or_default()).await?)
}

/// Writes the changed row of an account that exists.
pub(in super::super) async fn update_account(tx: &impl ConnectionTrait, account: &Account) -> Result<(), Fault> {
    let row = AccountRow::of(account);
    records::save::<account::Entity>(tx, &row).await?;
    Ok(save_words(tx, account.id, &row.search_text.unwrap_or_default()).await?)
}

/// An account, as it is stored.
#[derive(Record, FromRow)]
pub(super) struct AccountRow {
    account_id: AccountId,
    external_id: Option<String>,
    name: String,
    #[record(text)]
    timezone: Tz,
    #[record(text)]
    currency: Currency,
    credit_price: i64,
    version: i32,
    created_at: Timestamp,
    search_text: Option<String>,
}

impl AccountRow {
    fn of(account: &Account) -> Self {
        Self {
            account_id: account.id,
            external_id: account.external_id.clone(),
            name: account.name.clone(),
            timezone: account.timezone,
            currency: account.currency,
            credit_price: account.credit_price.millionths(),
            version: account.version,
            created_at: account.created_at,
            search_text: Some(search_text(&account.name, account.external_id.as_deref())),
        }
    }
}

/// What is stored with the figures of an account.
#[derive(Record, FromRow)]
pub(super) struct State {
    status: AccountStatus,
    session_grace_millis: i64,
    #[record(flatten)]
    log_end: LogEnd,
}

/// An account beside its figures.
#[derive(FromRow)]
pub(super) struct Found {
    #[record(flatten)]
    row: AccountRow,
    #[record(flatten)]
    state: State,
}

impl Found {
    /// Returns the account with its status.
    pub(super) fn account(self) -> (KnownAccount, AccountStatus) {
        let Self { row, state } = self;
        let account = Account {
            id: row.account_id,
            external_id: row.external_id,
            name: row.name,
            timezone: row.timezone,
            currency: row.currency,
            credit_price: CreditPrice::from_millionths(row.credit_price),
            session_grace_hours: grace_hours(state.session_grace_millis),
            version: row.version,
            created_at: row.created_at,
        };
        let log_end = state.log_end;
        (KnownAccount { account, log_end }, state.status)
    }
}
