//! SQL of the installation, the directory of external ids, and accounts.

use entity::{account, account_directory, account_state, installation};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, JoinType, QueryFilter, QuerySelect, SelectTwo,
    TryInsertResult,
};
use uuid::Uuid;

use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::search;
use crate::domain::ledger::model::AccountStatus;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, may_be_external_id};
use crate::primitives::money::CreditPrice;

use super::super::model::{Account, Installation, grace_hours};
use super::account_words::{save_words, search_text};
use super::{timezone, unreadable};

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
    let row = select()
        .filter(account::Column::AccountId.eq(account_id.number()))
        .one(connection)
        .await?;
    Ok(row.map(from_row).transpose()?.map(|(account, _)| account))
}

/// Returns accounts, each with its status.
pub(in super::super) async fn accounts(
    connection: &impl ConnectionTrait,
    account_ids: &[AccountId],
) -> Result<Vec<(Account, AccountStatus)>, Fault> {
    let rows = select()
        .filter(account::Column::AccountId.is_in(account_ids.iter().map(|id| id.number())))
        .all(connection)
        .await?;
    rows.into_iter().map(from_row).collect()
}

pub(in super::super) async fn insert_account(tx: &impl ConnectionTrait, account: &Account) -> Result<(), Fault> {
    let row = to_row(account);
    let (account_id, text) = (row.account_id, row.search_text.clone().unwrap_or_default());
    account::Entity::insert(row.into_active_model())
        .exec_without_returning(tx)
        .await?;
    Ok(save_words(tx, account_id, &text).await?)
}

/// Writes all mutable columns of the account.
pub(in super::super) async fn update_account(tx: &impl ConnectionTrait, account: &Account) -> Result<(), Fault> {
    let row = to_row(account);
    let text = row.search_text.clone().unwrap_or_default();
    account::Entity::update_many()
        .col_expr(account::Column::ExternalId, Expr::value(row.external_id))
        .col_expr(account::Column::Name, Expr::value(row.name))
        .col_expr(account::Column::Timezone, Expr::value(row.timezone))
        .col_expr(account::Column::CreditPrice, Expr::value(row.credit_price))
        .col_expr(account::Column::Version, Expr::value(row.version))
        .col_expr(account::Column::SearchText, Expr::value(row.search_text))
        .filter(account::Column::AccountId.eq(row.account_id))
        .exec(tx)
        .await?;
    Ok(save_words(tx, row.account_id, &text).await?)
}

fn select() -> SelectTwo<account::Entity, account_state::Entity> {
    let figures = account::Entity::belongs_to(account_state::Entity)
        .from(account::Column::AccountId)
        .to(account_state::Column::AccountId)
        .into();
    account::Entity::find()
        .join(JoinType::InnerJoin, figures)
        .select_also(account_state::Entity)
}

fn to_row(account: &Account) -> account::Model {
    account::Model {
        account_id: account.id.number(),
        external_id: account.external_id.clone(),
        name: account.name.clone(),
        timezone: account.timezone.name().to_owned(),
        currency: account.currency.code().to_owned(),
        credit_price: account.credit_price.millionths(),
        version: account.version,
        created_at: account.created_at.millis(),
        search_text: Some(search_text(&account.name, account.external_id.as_deref())),
    }
}

fn from_row(row: (account::Model, Option<account_state::Model>)) -> Result<(Account, AccountStatus), Fault> {
    let (row, figures) = row;
    let figures = figures.ok_or_else(|| unreadable("account with figures", &row.account_id.to_string()))?;
    from_columns(row, &figures.status, figures.session_grace_millis)
}

/// Returns an account with its status, which is stored with its figures as the grace of sessions is.
pub(super) fn from_columns(
    row: account::Model,
    status: &str,
    session_grace_millis: i64,
) -> Result<(Account, AccountStatus), Fault> {
    let status = AccountStatus::from_text(status).ok_or_else(|| unreadable("status", status))?;
    let account = Account {
        id: AccountId::from_number(row.account_id),
        external_id: row.external_id,
        timezone: timezone(&row.timezone)?,
        currency: row
            .currency
            .parse()
            .map_err(|_| unreadable("currency", &row.currency))?,
        credit_price: CreditPrice::from_millionths(row.credit_price),
        session_grace_hours: grace_hours(session_grace_millis),
        name: row.name,
        version: row.version,
        created_at: Timestamp::from_millis(row.created_at),
    };
    Ok((account, status))
}
