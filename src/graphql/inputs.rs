//! Shared functions for the inputs of mutations.

use async_graphql::{ID, MaybeUndefined};

use super::context::{Scope, parse_id};
use super::refusals::Failure;
use crate::primitives::ids::{AccountId, IdKind, MemberId};

impl Scope {
    /// Returns the account of an input: the named account, else the caller's own.
    pub(super) fn account_for(&self, account_id: Option<&ID>) -> Result<AccountId, Failure> {
        match account_id {
            Some(id) => parse_id(id, IdKind::Account)
                .map(|id| id.account_id)
                .ok_or_else(|| Failure::not_found("accountId", "account")),
            None => self
                .actor()
                .own_account()
                .ok_or_else(|| Failure::invalid("accountId", "is required: this API key is not bound to one account")),
        }
    }

    /// Returns the account of a thing, which its id determines. If the input also names an account, it must be the same.
    pub(super) fn account_of(
        &self,
        account_id: Option<&ID>,
        thing: &ID,
        kind: IdKind,
        (field, what): (&str, &str),
    ) -> Result<(AccountId, uuid::Uuid), Failure> {
        let thing = parse_id(thing, kind).ok_or_else(|| Failure::not_found(field, what))?;
        let named = account_id.map(|_| self.account_for(account_id)).transpose()?;
        if named.is_some_and(|named| named != thing.account_id) || !self.actor().reaches(thing.account_id) {
            return Err(Failure::not_found(field, what));
        }
        Ok((thing.account_id, thing.uuid))
    }

    /// Returns the member on whose behalf an API key acts.
    pub(super) fn acting(&self, account_id: AccountId, acting: Option<&ID>) -> Result<Option<MemberId>, Failure> {
        let Some(acting) = acting else {
            return Ok(None);
        };
        let acting = member_in(account_id, acting, "actingMemberId")?;
        match self.actor().member_id() {
            Some(caller) if caller != acting => Err(Failure::invalid(
                "actingMemberId",
                "only API keys can act on behalf of members",
            )),
            _ => Ok(Some(acting)),
        }
    }
}

/// Returns the member of this account with this id.
pub(super) fn member_in(account_id: AccountId, id: &ID, field: &str) -> Result<MemberId, Failure> {
    parse_id(id, IdKind::Member)
        .filter(|id| id.account_id == account_id)
        .map(|id| MemberId::from_uuid(id.uuid))
        .ok_or_else(|| Failure::not_found(field, "member"))
}

/// Reads a field of a patch: an absent field keeps the value, and null is not allowed.
pub(super) fn patched<T>(field: &str, value: MaybeUndefined<T>) -> Result<Option<T>, Failure> {
    match value {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Value(value) => Ok(Some(value)),
        MaybeUndefined::Null => Err(Failure::invalid(
            field,
            "must not be null; leave it out to keep the current value",
        )),
    }
}
