//! Mutations of members.

use async_graphql::{InputObject, MaybeUndefined};

use super::person::{Member, MemberRole};
use crate::domain::member;
use crate::graphql::context::Scope;
use crate::graphql::id::Id;
use crate::graphql::inputs::{changed, patched};
use crate::graphql::payload::{mutations, payload};
use crate::graphql::refusals::Failure;
use crate::primitives::actor;
use crate::primitives::ids::{AccountId, MemberId};

/// A member to create together with their account.
#[derive(InputObject, Debug)]
pub(crate) struct NewMemberInput {
    /// The platform's own id, by which the member signs in. It must not have the form of an id of this service.
    external_id: Option<String>,
    /// Display name.
    name: String,
    /// The e-mail address. It is UNVERIFIED until the member confirms it with a code, unless `emailVerified` is true.
    email: Option<String>,
    /// Whether the platform has verified that address: mail is sent to it at once. Only platform keys can vouch for addresses:
    /// FORBIDDEN for others. Requires `email`.
    #[graphql(default_with = "Some(false)")]
    email_verified: Option<bool>,
    /// Role in the team.
    #[graphql(default_with = "Some(MemberRole::Member)")]
    role: Option<MemberRole>,
    /// The language of messages to the member, as a BCP 47 tag such as de. When left out: en.
    locale: Option<String>,
}

impl From<NewMemberInput> for member::NewMember {
    fn from(input: NewMemberInput) -> Self {
        Self {
            external_id: input.external_id,
            name: input.name,
            email: input.email,
            email_verified: input.email_verified.unwrap_or_default(),
            role: input.role.map_or(actor::MemberRole::Member, Into::into),
            locale: input.locale,
        }
    }
}

/// A member to add.
#[derive(InputObject, Debug)]
pub(crate) struct AddMemberInput {
    /// The team's account. May be left out by a member, or by a key that belongs to one account.
    account_id: Option<Id<AccountId>>,
    /// The platform's own id, by which the member signs in. Only platform keys can set it: FORBIDDEN for others.
    external_id: Option<String>,
    /// Display name.
    name: String,
    /// The e-mail address. It is UNVERIFIED until the member confirms it with a code, unless `emailVerified` is true.
    email: Option<String>,
    /// Whether the platform has verified that address: mail is sent to it at once. Only platform keys can vouch for addresses:
    /// FORBIDDEN for others. Requires `email`.
    #[graphql(default_with = "Some(false)")]
    email_verified: Option<bool>,
    /// Role in the team.
    #[graphql(default_with = "Some(MemberRole::Member)")]
    role: Option<MemberRole>,
    /// The language of messages to the member, as a BCP 47 tag such as de. When left out: en.
    locale: Option<String>,
}

/// A member to add, or to update if one with this external id exists.
#[derive(InputObject, Debug)]
pub(crate) struct UpsertMemberInput {
    /// The team's account. May be left out by a member, or by a key that belongs to one account.
    account_id: Option<Id<AccountId>>,
    /// The platform's own id, by which the member signs in. It must not have the form of an id of this service.
    external_id: String,
    /// Display name.
    name: String,
    /// The e-mail address. Left out keeps it; null removes it. A different address is UNVERIFIED, unless `emailVerified` is
    /// true.
    email: MaybeUndefined<String>,
    /// Whether you have verified that address: mail is sent to it at once. Requires `email`.
    #[graphql(default_with = "Some(false)")]
    email_verified: Option<bool>,
    /// Role in the team. Left out keeps it; MEMBER for a new member.
    role: MaybeUndefined<MemberRole>,
    /// The language of messages to the member, as a BCP 47 tag such as de. Left out keeps it; en for a new member.
    locale: MaybeUndefined<String>,
}

/// Changes to a member. Fields that are left out keep their values.
#[derive(InputObject, Debug)]
pub(crate) struct UpdateMemberInput {
    /// The member to change.
    member_id: Id<MemberId>,
    /// Refused as `VERSION_CONFLICT` when this is not the current version.
    expected_version: Option<i32>,
    /// The platform's own id, by which the member signs in. Only platform keys can change it: FORBIDDEN for others.
    external_id: MaybeUndefined<String>,
    /// Display name.
    name: MaybeUndefined<String>,
    /// Role in the team.
    role: MaybeUndefined<MemberRole>,
}

/// A member to remove.
#[derive(InputObject, Debug)]
pub(crate) struct RemoveMemberInput {
    /// The member to remove.
    member_id: Id<MemberId>,
}

payload! {
    /// The result of addMember.
    AddMemberPayload,
    /// The result of upsertMember.
    UpsertMemberPayload,
    /// The result of updateMember.
    UpdateMemberPayload,
    /// The result of removeMember.
    RemoveMemberPayload
    from member::Member => {
        /// The member in their current state. Null when refused, except for codes whose description says that the payload
        /// contains it.
        async fn member(&self) -> Option<Member> {
            self.0.current().cloned().map(Member::new)
        }
    }
}

async fn add(scope: &Scope, input: AddMemberInput) -> Result<member::Member, Failure> {
    let account_id = scope.account_for(input.account_id)?;
    let new = NewMemberInput {
        external_id: input.external_id,
        name: input.name,
        email: input.email,
        email_verified: input.email_verified,
        role: input.role,
        locale: input.locale,
    };
    let members = &scope.services.members;
    Ok(members.add(scope.actor(), account_id, new.into()).await?)
}

async fn upsert(scope: &Scope, input: UpsertMemberInput) -> Result<member::Member, Failure> {
    let account_id = scope.account_for(input.account_id)?;
    let upsert = member::UpsertMember {
        external_id: input.external_id,
        name: input.name,
        email: changed(input.email),
        email_verified: input.email_verified.unwrap_or_default(),
        role: patched("role", input.role)?.map(Into::into),
        locale: patched("locale", input.locale)?,
    };
    Ok(scope.services.members.upsert(scope.actor(), account_id, upsert).await?)
}

async fn update(scope: &Scope, input: UpdateMemberInput) -> Result<member::Member, Failure> {
    let (account_id, member_id) = scope.object(input.member_id)?;
    let patch = member::MemberPatch {
        expected_version: input.expected_version,
        external_id: patched("externalId", input.external_id)?,
        name: patched("name", input.name)?,
        role: patched("role", input.role)?.map(Into::into),
    };
    let members = &scope.services.members;
    Ok(members.update(scope.actor(), account_id, member_id, patch).await?)
}

async fn remove(scope: &Scope, input: RemoveMemberInput) -> Result<member::Member, Failure> {
    let (account_id, member_id) = scope.object(input.member_id)?;
    Ok(scope
        .services
        .members
        .remove(scope.actor(), account_id, member_id)
        .await?)
}

mutations! {
    MemberMutation {
        /// Adds a member to a team. Only owners and the platform can add owners. [auth: `MANAGE_MEMBERS`]
        add_member(AddMemberInput: "The new member.") -> AddMemberPayload = add;

        /// Adds a member, or updates the one with this external id; a removed member is restored. Only for platform keys, because
        /// members sign in by external ids. [auth: `MANAGE_MEMBERS` of the platform]
        upsert_member(UpsertMemberInput: "The member.") -> UpsertMemberPayload = upsert;

        /// Changes a member. Only owners and the platform can change owners. [auth: `MANAGE_MEMBERS`]
        update_member(UpdateMemberInput: "The changes.") -> UpdateMemberPayload = update;

        /// Removes a member from the team. Their use stays in the log; they can no longer sign in. [auth: `MANAGE_MEMBERS`]
        remove_member(RemoveMemberInput: "The member.") -> RemoveMemberPayload = remove;
    }
}
