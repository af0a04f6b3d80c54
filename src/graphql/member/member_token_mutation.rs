//! Tokens that sign members in.

use async_graphql::InputObject;

use super::person::Member;
use crate::domain::member::{self, MemberTokenRefusal};
use crate::graphql::context::Scope;
use crate::graphql::id::Id;
use crate::graphql::payload::{mutations, payload};
use crate::graphql::refusals::{Failure, UserErrorCode};
use crate::primitives::actor::Permission;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, MemberId};

/// The default lifetime of a token, in seconds.
const USUAL_SECONDS: i32 = 900;

/// A token to create.
#[derive(InputObject, Debug)]
pub(crate) struct CreateMemberTokenInput {
    /// The member's account. May be left out where the member's id determines it.
    account_id: Option<Id<AccountId>>,
    /// The member's account, by the platform's own id. Instead of accountId.
    account_external_id: Option<String>,
    /// The member who signs in with it. This or memberExternalId is required.
    member_id: Option<Id<MemberId>>,
    /// The member who signs in with it, by the platform's own id. It needs the account.
    member_external_id: Option<String>,
    /// How long it is valid, in seconds: from 1 to 3600, and at most the longest lifetime that the server accepts.
    #[graphql(default_with = "Some(USUAL_SECONDS)")]
    expires_in_seconds: Option<i32>,
}

payload! {
    /// The result of createMemberToken.
    CreateMemberTokenPayload
    from member::MemberToken, "Why no token was created. Empty on success." => {
        /// The token. The server does not store it. Null when refused.
        async fn token(&self) -> Option<&str> {
            self.0.done.as_ref().map(|made| made.token.as_str())
        }

        /// When it expires. Null when refused.
        async fn expires_at(&self) -> Option<Timestamp> {
            self.0.done.as_ref().map(|made| made.expires_at)
        }

        /// The member who signs in with it. Null when refused.
        async fn member(&self) -> Option<Member> {
            self.0.done.as_ref().map(|made| Member::new(made.member.clone()))
        }
    }
}

async fn create(scope: &Scope, input: CreateMemberTokenInput) -> Result<member::MemberToken, Failure> {
    let (account_id, member_id) = named(scope, &input).await?;
    let seconds = input.expires_in_seconds.unwrap_or(USUAL_SECONDS);
    let sign_in = &scope.services.sign_in;
    Ok(sign_in
        .member_token(scope.actor(), account_id, member_id, seconds.into())
        .await?)
}

/// Returns the account and the member that the input names.
async fn named(scope: &Scope, input: &CreateMemberTokenInput) -> Result<(AccountId, MemberId), Failure> {
    let account_id = named_account(scope, input).await?;
    match (input.member_id, &input.member_external_id) {
        (Some(_), Some(_)) => Err(Failure::invalid(
            "memberId",
            "give memberId or memberExternalId, not both",
        )),
        (None, None) => Err(Failure::invalid("memberId", "give memberId or memberExternalId")),
        (Some(id), None) => {
            let (of_member, member_id) = scope.object(id)?;
            if account_id.is_some_and(|account_id| account_id != of_member) {
                return Err(Failure::not_found("memberId", "member"));
            }
            Ok((of_member, member_id))
        }
        (None, Some(external_id)) => {
            let Some(account_id) = account_id else {
                // A key that belongs to one account need not name it.
                let own = scope.account_for(None)?;
                return Ok((own, by_external_id(scope, own, external_id).await?));
            };
            Ok((account_id, by_external_id(scope, account_id, external_id).await?))
        }
    }
}

async fn named_account(scope: &Scope, input: &CreateMemberTokenInput) -> Result<Option<AccountId>, Failure> {
    match (input.account_id, &input.account_external_id) {
        (Some(_), Some(_)) => Err(Failure::invalid(
            "accountId",
            "give accountId or accountExternalId, not both",
        )),
        (Some(id), None) => Ok(Some(scope.account_for(Some(id))?)),
        (None, Some(external_id)) => {
            let accounts = &scope.services.accounts;
            let found = accounts.find_by_external_id(scope.actor(), external_id).await?;
            let account = found.ok_or_else(|| Failure::not_found("accountExternalId", "account"))?;
            Ok(Some(account.id))
        }
        (None, None) => Ok(None),
    }
}

/// The permission of the mutation is checked first: without it, a caller would learn which external ids exist.
async fn by_external_id(scope: &Scope, account_id: AccountId, external_id: &str) -> Result<MemberId, Failure> {
    scope.actor().require(account_id, Permission::ManageMembers)?;
    let members = &scope.services.members;
    let found = members
        .find_by_external_id(scope.actor(), account_id, external_id)
        .await?;
    let member = found.ok_or_else(|| Failure::not_found("memberExternalId", "member"))?;
    Ok(member.id)
}

mutations! {
    MemberTokenMutation {
        /// Creates a short-lived token that signs a member in. Your server passes it to the member's page, so your server need not
        /// sign tokens. It is signed with the secret `auth.jwt_secret`; refused when only the keys of an issuer are configured.
        /// [auth: `MANAGE_MEMBERS` of the platform]
        create_member_token(CreateMemberTokenInput: "The member, and the lifetime of the token.")
            -> CreateMemberTokenPayload = create;
    }
}

impl From<MemberTokenRefusal> for Failure {
    fn from(error: MemberTokenRefusal) -> Self {
        match error {
            MemberTokenRefusal::OfPlatform => Self::new(UserErrorCode::Forbidden, None, error.to_string()),
            MemberTokenRefusal::NotFound => Self::not_found("memberId", "member"),
            MemberTokenRefusal::MemberRemoved => {
                Self::new(UserErrorCode::MemberRemoved, Some("memberId"), error.to_string())
            }
            MemberTokenRefusal::NoSecret => Self::new(UserErrorCode::Validation, None, error.to_string()),
        }
    }
}
