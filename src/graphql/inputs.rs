//! What mutations share in reading their inputs.

use async_graphql::{ID, MaybeUndefined};

use super::context::{Scope, parse_id};
use super::refusals::Failure;
use crate::primitives::ids::{AccountId, IdKind, MemberId};

impl Scope {
    /// The account that an input is about: the one it names, else the caller's own.
    pub(super) fn account_for(&self, account_id: Option<&ID>) -> Result<AccountId, Failure> {
        match account_id {
            Some(id) => parse_id(id, IdKind::Account)
                .map(|id| id.account_id)
                .ok_or_else(|| Failure::not_found("accountId", "account")),
            None => self
                .actor()
                .own_account()
                .ok_or_else(|| Failure::invalid("accountId", "is needed: this API key belongs to no single account")),
        }
    }

    /// The account of a thing that is named by id: the id leads to it. An account named besides must be the same one.
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

    /// The member on whose behalf an API key acts.
    pub(super) fn acting(&self, account_id: AccountId, acting: Option<&ID>) -> Result<Option<MemberId>, Failure> {
        let Some(acting) = acting else {
            return Ok(None);
        };
        let acting = member_in(account_id, acting, "actingMemberId")?;
        match self.actor().member_id() {
            Some(caller) if caller != acting => Err(Failure::invalid(
                "actingMemberId",
                "only API keys act on behalf of members",
            )),
            _ => Ok(Some(acting)),
        }
    }
}

/// A member of this account, by id.
pub(super) fn member_in(account_id: AccountId, id: &ID, field: &str) -> Result<MemberId, Failure> {
    parse_id(id, IdKind::Member)
        .filter(|id| id.account_id == account_id)
        .map(|id| MemberId::from_uuid(id.uuid))
        .ok_or_else(|| Failure::not_found(field, "member"))
}

/// A field of a patch: left out stays, and null is no value for it.
pub(super) fn patched<T>(field: &str, value: MaybeUndefined<T>) -> Result<Option<T>, Failure> {
    match value {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Value(value) => Ok(Some(value)),
        MaybeUndefined::Null => Err(Failure::invalid(
            field,
            "must not be null; leave it out to keep it as it is",
        )),
    }
}
