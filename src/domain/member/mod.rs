//! Accounts, their members and how they are reached, API keys, and how a credential becomes an
//! [`Actor`](crate::primitives::actor::Actor).
//!
//! Called by every shell: the HTTP server signs callers in, GraphQL reads and changes, commands and workers create keys,
//! tokens and the demo's team. This module owns an account's name and prices; its figures belong to the ledger.
//!
//! Invariants:
//! - Every change of an account or its members locks the account's state row first and appends an event in the same
//!   transaction. API keys and the directory of external ids are global rows. They are changed without that lock, or last
//!   under it.
//! - An account that had an owner keeps one.
//! - A key never has more permissions than its creator, and never outlives it: see `api_key_life`.
//! - Of an API key only a hash is stored. Role, removal and revocation are read at each sign-in and never cached.
//! - A token's algorithm follows from the key that verifies it.

mod account_list;
mod accounts;
mod api_key_life;
mod api_keys;
mod contacts;
mod current_rights;
mod error;
mod filter;
#[doc(hidden)]
pub mod fuzzing;
mod input;
mod key_set;
mod mail_bounds;
mod member_tokens;
mod members;
mod scan;
mod sign_in;
mod sign_in_failure;
mod store;
mod token;

#[cfg(test)]
pub(crate) mod tests;

pub use accounts::{Accounts, KnownAccount, open_installation};
pub use api_keys::{ApiKeys, NewSecret};
pub use contacts::{CodeKey, Contacts, NewCode};
pub(in crate::domain) use contacts::{checked as checked_contact, notify_old_address};
pub use current_rights::{CurrentRights, Watch};
pub use error::{
    AddMemberRefusal, CreateAccountRefusal, CreateApiKeyRefusal, IssueTokenError, MemberTokenRefusal, Rejection,
    RemoveMemberRefusal, RevokeApiKeyRefusal, SignInError, StartVerificationRefusal, UpdateAccountRefusal,
    UpdateContactRefusal, UpdateMemberRefusal, UpsertMemberRefusal, VerifyContactRefusal,
};
pub use filter::{AccountFilter, AccountSearch, MemberFilter};
pub(in crate::domain) use input::checked_label;
pub use key_set::KeySetSource;
use ledgerbell_core::member as model;
pub use mail_bounds::{MailBounds, UnverifiedMail};
pub use member_tokens::MemberToken;
pub use members::Members;
pub(in crate::domain) use members::{
    Holder, announce_details, locked_holder, locked_member, locked_members, locked_person, record_contact,
};
pub use model::{
    Account, AccountOrder, AccountPatch, AccountPosition, ApiKey, ApiKeyName, Change, Contact, ContactPatch,
    ContactStatus, DEFAULT_SESSION_GRACE_HOURS, Installation, MAX_ACTIVE_API_KEYS, MAX_SESSION_GRACE_HOURS, Member,
    MemberPatch, MemberPosition, NewAccount, NewApiKey, NewMember, UpsertMember, Vouch, require_own_or_settings,
};
pub(in crate::domain) use model::{may_change_owners, may_vouch, require_over};
pub use sign_in::{SignIn, SignInSettings, SignedIn};
pub use sign_in_failure::SignInFailure;
pub(in crate::domain) use store::ContactRow;
pub use store::bring_account_words_up_to_date;
