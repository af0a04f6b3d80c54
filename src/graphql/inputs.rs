//! Shared functions for the inputs of mutations.

use async_graphql::MaybeUndefined;

use super::context::Scope;
use super::id::{Id, Named};
use super::refusals::Failure;
use crate::domain::member::Change;
use crate::primitives::ids::{AccountId, MemberId};

impl Scope {
    /// Returns the account of an input: the named account, else the caller's own.
    pub(super) fn account_for(&self, named: Option<Id<AccountId>>) -> Result<AccountId, Failure> {
        match named {
            Some(id) => {
                let parts = id.parts().map(|(account_id, _)| account_id);
                parts.ok_or_else(|| Failure::not_found(AccountId::FIELD, AccountId::WHAT))
            }
            None => self.actor().own_account().ok_or_else(|| {
                let message = "is required: this API key is not bound to one account";
                Failure::invalid(AccountId::FIELD, message)
            }),
        }
    }

    /// Returns an object of an input, and its account, which its id determines.
    pub(super) fn object<I: Named>(&self, id: Id<I>) -> Result<(AccountId, I), Failure> {
        self.object_at(I::FIELD, id, None)
    }

    /// Returns the object in a field of an input, and its account. If the input also names an account, it must be the same.
    pub(super) fn object_at<I: Named>(
        &self,
        field: &str,
        id: Id<I>,
        named: Option<Id<AccountId>>,
    ) -> Result<(AccountId, I), Failure> {
        let missing = || Failure::not_found(field, I::WHAT);
        let (account_id, id) = id.parts().ok_or_else(missing)?;
        let named = named.map(|named| self.account_for(Some(named))).transpose()?;
        if named.is_some_and(|named| named != account_id) || !self.actor().reaches(account_id) {
            return Err(missing());
        }
        Ok((account_id, id))
    }

    /// Returns the member on whose behalf an API key acts.
    pub(super) fn acting(
        &self,
        account_id: AccountId,
        acting: Option<Id<MemberId>>,
    ) -> Result<Option<MemberId>, Failure> {
        let Some(acting) = acting else {
            return Ok(None);
        };
        let acting = acting.in_field("actingMemberId", account_id)?;
        match self.actor().member_id() {
            Some(caller) if caller != acting => Err(Failure::invalid(
                "actingMemberId",
                "only API keys can act on behalf of members",
            )),
            _ => Ok(Some(acting)),
        }
    }
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

/// Reads a field of a patch that null clears.
pub(super) fn changed<T>(value: MaybeUndefined<T>) -> Change<T> {
    match value {
        MaybeUndefined::Undefined => Change::Keep,
        MaybeUndefined::Null => Change::Clear,
        MaybeUndefined::Value(value) => Change::Set(value),
    }
}
