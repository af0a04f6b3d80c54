//! SQL of accounts, members, contacts and API keys.

mod account_list;
mod account_words;
mod accounts;
mod address_notices;
mod api_key_life;
mod api_keys;
mod members;
mod verifications;

pub(super) use account_list::{
    AccountList, Finder, available_below, find_accounts, has_findings, has_status, has_word, is_paused,
};
pub use account_words::bring_account_words_up_to_date;
pub(super) use accounts::{
    account, account_id, account_ids, accounts, claim_external_id, insert_account, installation, make_installation,
    release_external_id, take_account_numbers, update_account,
};
pub(super) use address_notices::insert_address_notice;
pub(super) use api_key_life::{
    Ending, accounts_with_news, reduce_api_keys, revoke_api_keys, take_unannounced, touch_maker,
};
pub(super) use api_keys::{
    active_api_keys, api_key, api_key_names, api_keys, api_keys_by_id, api_keys_by_prefix, insert_api_key,
    save_api_key_uses,
};
pub(in crate::domain) use members::ContactRow;
pub(super) use members::{
    contacts, count_owners, first_member, insert_member, member, member_by_external_id, members, members_after,
    present_members, save_contact, update_member,
};
pub(super) use verifications::{delete_verification, save_verification, verification};

use sea_orm::Value;
use sea_orm::sea_query::ValueType;
use uuid::Uuid;

use crate::domain::database::bulk::Record;
use crate::domain::database::records::{FromRow, column_list};
use crate::domain::database::select::{Condition, Select, Source};
use crate::domain::fault::Fault;
use crate::primitives::ids::AccountId;

/// The key of a row of any account.
#[derive(Record)]
struct Named<I: Clone + Into<Value> + ValueType> {
    account_id: AccountId,
    id: I,
}

/// Returns records of `table` whose `column` is one of `ids`, by a statement with the same text whatever their number. Loaders
/// use it for every page.
async fn records_by_id<R: Record + FromRow>(
    source: &impl Source,
    (table, column): (&'static str, &'static str),
    account_id: Option<AccountId>,
    ids: impl Iterator<Item = Uuid>,
) -> Result<Vec<R>, Fault> {
    let ids: Vec<Uuid> = ids.collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut select = if let Some(account_id) = account_id {
        Select::from::<R>(source, account_id, table)
    } else {
        let columns = column_list::<R>();
        Select::across(source, &format!("SELECT {columns} FROM {table} WHERE true"))
    };
    select.and_all(&[Condition::Uuids(column, ids)]);
    select.records(source).await
}
