//! Mutations of members.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::person::{Member, MemberRole};
use crate::domain::member;
use crate::graphql::context::{Scope, scope};
use crate::graphql::errors::{ApiError, nullable};
use crate::graphql::inputs::patched;
use crate::graphql::payload::Outcome;
use crate::graphql::refusals::{Failure, Present, UserError};
use crate::primitives::actor;
use crate::primitives::ids::{IdKind, MemberId};

/// A member to make together with their account.
#[derive(InputObject, Debug)]
pub(crate) struct NewMemberInput {
    /// The platform's own id, by which the member signs in: not of the form of an id of this service.
    external_id: Option<String>,
    /// Name for people.
    name: String,
    /// The e-mail address. It is UNVERIFIED until a code sent there comes back, unless `emailVerified` says otherwise.
    email: Option<String>,
    /// Whether the platform has verified that address: mail goes there at once. Only keys of the platform vouch for addresses: FORBIDDEN
    /// for others. Goes with `email`.
    #[graphql(default_with = "Some(false)")]
    email_verified: Option<bool>,
    /// Standing in the team.
    #[graphql(default_with = "Some(MemberRole::Member)")]
    role: Option<MemberRole>,
    /// The language that they are written to in, as a BCP 47 tag such as de. Left out: en.
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
    /// To which team. May be left out by a member, or by a key that belongs to one account.
    account_id: Option<ID>,
    /// The platform's own id, by which the member signs in. Only keys of the platform set it: FORBIDDEN for others.
    external_id: Option<String>,
    /// Name for people.
    name: String,
    /// The e-mail address. It is UNVERIFIED until a code sent there comes back, unless `emailVerified` says otherwise.
    email: Option<String>,
    /// Whether the platform has verified that address: mail goes there at once. Only keys of the platform vouch for addresses: FORBIDDEN
    /// for others. Goes with `email`.
    #[graphql(default_with = "Some(false)")]
    email_verified: Option<bool>,
    /// Standing in the team.
    #[graphql(default_with = "Some(MemberRole::Member)")]
    role: Option<MemberRole>,
    /// The language that they are written to in, as a BCP 47 tag such as de. Left out: en.
    locale: Option<String>,
}

/// A member to add, or to bring up to date when there is one with this external id.
#[derive(InputObject, Debug)]
pub(crate) struct UpsertMemberInput {
    /// Of which team. May be left out by a member, or by a key that belongs to one account.
    account_id: Option<ID>,
    /// The platform's own id, by which the member signs in: not of the form of an id of this service.
    external_id: String,
    /// Name for people.
    name: String,
    /// The e-mail address. Left out it stays, null clears it. Another one is UNVERIFIED, unless `emailVerified` says otherwise.
    email: MaybeUndefined<String>,
    /// Whether you have verified that address: mail goes there at once. Goes with `email`.
    #[graphql(default_with = "Some(false)")]
    email_verified: Option<bool>,
    /// Standing in the team. Left out it stays; MEMBER for a new one.
    role: MaybeUndefined<MemberRole>,
    /// The language that they are written to in, as a BCP 47 tag such as de. Left out it stays; en for a new one.
    locale: MaybeUndefined<String>,
}

/// Changes to a member. Fields left out stay as they are.
#[derive(InputObject, Debug)]
pub(crate) struct UpdateMemberInput {
    /// Which member.
    member_id: ID,
    /// Refused as `VERSION_CONFLICT` when this is not the newest version.
    expected_version: Option<i32>,
    /// The platform's own id, by which the member signs in. Only keys of the platform change it: FORBIDDEN for others.
    external_id: MaybeUndefined<String>,
    /// Name for people.
    name: MaybeUndefined<String>,
    /// Standing in the team.
    role: MaybeUndefined<MemberRole>,
}

/// A member to remove.
#[derive(InputObject, Debug)]
pub(crate) struct RemoveMemberInput {
    /// Which member.
    member_id: ID,
}

/// Declares the payload of a mutation of a member.
macro_rules! member_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub(crate) struct $name(Outcome<member::Member>);

        $(#[$doc])*
        #[Object]
        impl $name {
            /// The member as they are now. Null when refused, but for refusals whose code says that they are here.
            async fn member(&self) -> Option<Member> {
                match (&self.0.done, &self.0.present) {
                    (Some(member), _) => Some(Member::new(member.clone())),
                    (None, Some(Present::Member(member))) => Some(Member::new((**member).clone())),
                    (None, _) => None,
                }
            }

            /// Why nothing was changed. Empty when it was.
            pub(crate) async fn user_errors(&self) -> Vec<UserError> {
                self.0.errors.clone()
            }
        }
    };
}

member_payload! {
    /// What addMember answers.
    AddMemberPayload
}
member_payload! {
    /// What upsertMember answers.
    UpsertMemberPayload
}
member_payload! {
    /// What updateMember answers.
    UpdateMemberPayload
}
member_payload! {
    /// What removeMember answers.
    RemoveMemberPayload
}

async fn add(scope: &Scope, input: AddMemberInput) -> Result<member::Member, Failure> {
    let account_id = scope.account_for(input.account_id.as_ref())?;
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
    let account_id = scope.account_for(input.account_id.as_ref())?;
    let upsert = member::UpsertMember {
        external_id: input.external_id,
        name: input.name,
        email: match input.email {
            MaybeUndefined::Undefined => member::Change::Keep,
            MaybeUndefined::Null => member::Change::Clear,
            MaybeUndefined::Value(email) => member::Change::Set(email),
        },
        email_verified: input.email_verified.unwrap_or_default(),
        role: patched("role", input.role)?.map(Into::into),
        locale: patched("locale", input.locale)?,
    };
    Ok(scope.services.members.upsert(scope.actor(), account_id, upsert).await?)
}

async fn update(scope: &Scope, input: UpdateMemberInput) -> Result<member::Member, Failure> {
    let (account_id, uuid) = scope.account_of(None, &input.member_id, IdKind::Member, ("memberId", "member"))?;
    let patch = member::MemberPatch {
        expected_version: input.expected_version,
        external_id: patched("externalId", input.external_id)?,
        name: patched("name", input.name)?,
        role: patched("role", input.role)?.map(Into::into),
    };
    let members = &scope.services.members;
    Ok(members
        .update(scope.actor(), account_id, MemberId::from_uuid(uuid), patch)
        .await?)
}

async fn remove(scope: &Scope, input: RemoveMemberInput) -> Result<member::Member, Failure> {
    let (account_id, uuid) = scope.account_of(None, &input.member_id, IdKind::Member, ("memberId", "member"))?;
    let members = &scope.services.members;
    Ok(members
        .remove(scope.actor(), account_id, MemberId::from_uuid(uuid))
        .await?)
}

/// Mutations of members.
#[derive(Default)]
pub(crate) struct MemberMutation;

/// Mutations of members.
#[Object]
impl MemberMutation {
    /// Adds a member to a team. Owners are added by owners and the platform. [auth: `MANAGE_MEMBERS`]
    async fn add_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who it is.")] input: AddMemberInput,
    ) -> Option<Result<AddMemberPayload, ApiError>> {
        nullable(async { Ok(Some(AddMemberPayload(Outcome::settle(add(scope(ctx)?, input).await)?))) }).await
    }

    /// Adds a member, or brings the one with this external id up to date; a removed one comes back. Only for keys of the platform,
    /// because members sign in by external ids. [auth: `MANAGE_MEMBERS` of the platform]
    async fn upsert_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who it is.")] input: UpsertMemberInput,
    ) -> Option<Result<UpsertMemberPayload, ApiError>> {
        nullable(async {
            let outcome = Outcome::settle(upsert(scope(ctx)?, input).await)?;
            Ok(Some(UpsertMemberPayload(outcome)))
        })
        .await
    }

    /// Changes a member. Owners are changed by owners and the platform. [auth: `MANAGE_MEMBERS`]
    async fn update_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: UpdateMemberInput,
    ) -> Option<Result<UpdateMemberPayload, ApiError>> {
        nullable(async {
            let outcome = Outcome::settle(update(scope(ctx)?, input).await)?;
            Ok(Some(UpdateMemberPayload(outcome)))
        })
        .await
    }

    /// Removes a member from the team. What they used stays in the log; they can no longer sign in. [auth: `MANAGE_MEMBERS`]
    async fn remove_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which member.")] input: RemoveMemberInput,
    ) -> Option<Result<RemoveMemberPayload, ApiError>> {
        nullable(async {
            let outcome = Outcome::settle(remove(scope(ctx)?, input).await)?;
            Ok(Some(RemoveMemberPayload(outcome)))
        })
        .await
    }
}
