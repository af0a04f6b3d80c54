//! Rows of accounts, members, contacts and API keys.

mod accounts;
mod api_keys;
mod members;

pub(super) use accounts::{
    account, account_id, account_ids, accounts, accounts_after, claim_external_id, insert_account, installation,
    make_installation, release_external_id, take_account_numbers, update_account,
};
pub(super) use api_keys::{
    api_key, api_key_by_prefix, api_keys, api_keys_by_id, insert_api_key, revoke_api_key, save_api_key_uses,
};
pub(super) use members::{
    contacts, count_owners, first_member, insert_member, member, member_by_external_id, members, members_after,
    save_contact, update_member,
};

use chrono_tz::Tz;

use crate::domain::fault::Fault;

/// A value that no use case has written.
fn unreadable(what: &str, value: &str) -> Fault {
    Fault::Internal(format!("a row holds {value:?}, which is no {what}"))
}

fn timezone(name: &str) -> Result<Tz, Fault> {
    name.parse().map_err(|_| unreadable("time zone", name))
}
