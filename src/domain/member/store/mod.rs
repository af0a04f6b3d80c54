//! SQL of accounts, members, contacts and API keys.

mod account_list;
mod account_words;
mod accounts;
mod address_notices;
mod api_key_life;
mod api_keys;
mod members;
mod verifications;

pub(super) use account_list::{AccountList, Finder, ListCondition, find_accounts};
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
pub(in crate::domain) use members::contact_from_row;
pub(super) use members::{
    contacts, count_owners, first_member, insert_member, member, member_by_external_id, members, members_after,
    present_members, save_contact, update_member,
};
pub(super) use verifications::{delete_verification, save_verification, verification};

use chrono_tz::Tz;
use sea_orm::{ConnectionTrait, EntityTrait};
use uuid::Uuid;

use crate::domain::database::bulk::{Columns, Kind};
use crate::domain::database::select::is_one_of_uuids;
use crate::domain::fault::Fault;

/// Keys of rows of any account.
const KEYS: Columns = &[("account_id", Kind::BigInt), ("id", Kind::Uuid)];

/// Returns rows of `table` whose `column` is one of `ids`, by a statement with the same text whatever their number. Loaders
/// use it for every page.
async fn rows_by_id<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    (table, column): (&'static str, &'static str),
    account_id: Option<i64>,
    ids: impl Iterator<Item = Uuid>,
) -> Result<Vec<E::Model>, Fault> {
    let ids: Vec<Uuid> = ids.collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let backend = connection.get_database_backend();
    let (condition, value) = is_one_of_uuids(backend, 1, &ids);
    let mut sql = format!("SELECT * FROM {table} WHERE {column}{condition}");
    let mut values = vec![value];
    if let Some(account_id) = account_id {
        sql.push_str(" AND account_id = $2");
        values.push(account_id.into());
    }
    let statement = sea_orm::Statement::from_sql_and_values(backend, sql, values);
    Ok(E::find().from_raw_sql(statement).all(connection).await?)
}

/// The fault of a stored value that no use case writes.
fn unreadable(what: &str, value: &str) -> Fault {
    Fault::Internal(format!("a row holds {value:?}, which is no {what}"))
}

fn timezone(name: &str) -> Result<Tz, Fault> {
    name.parse().map_err(|_| unreadable("time zone", name))
}
