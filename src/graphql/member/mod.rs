//! Accounts, members and API keys in the public language.
//!
//! Called by the schema's roots. Shapes only: who may see and change what is the domain's to say.

mod account;
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
