//! Accounts, members and API keys in the API.
//!
//! Called by the root types. This module only converts types; the domain decides who may see and change what.

mod account;
mod account_list;
mod account_mutation;
mod account_subscription;
mod api_key;
mod api_key_mutation;
mod member_mutation;
mod member_token_mutation;
mod money;
mod person;
mod query;

pub(super) use account::Account;
pub(super) use account_mutation::{
    AccountMutation, CloseAccountPayload, CreateAccountPayload, FreezeAccountPayload, UnfreezeAccountPayload,
    UpdateAccountPayload,
};
pub(super) use account_subscription::{AccountEvent, AccountSubscription};
pub(super) use api_key::ApiKey;
pub(super) use api_key_mutation::{ApiKeyMutation, CreateApiKeyPayload, RevokeApiKeyPayload};
pub(super) use member_mutation::{
    AddMemberPayload, MemberMutation, RemoveMemberPayload, UpdateMemberPayload, UpsertMemberPayload,
};
pub(super) use member_token_mutation::{CreateMemberTokenPayload, MemberTokenMutation};
pub(super) use money::Money;
pub(super) use person::{Contact, ContactStatus, Member};
pub(super) use query::MemberQuery;
