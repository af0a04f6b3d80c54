//! Tokens that sign members in.

use async_graphql::{Context, ID, InputObject, Object};

use super::person::Member;
use crate::domain::member::{self, MemberTokenError};
use crate::graphql::context::{Scope, scope};
use crate::graphql::errors::{ApiError, nullable};
use crate::graphql::payload::Outcome;
use crate::graphql::refusals::{Failure, UserError, UserErrorCode};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{IdKind, MemberId};

/// The default lifetime of a token, in seconds.
const USUAL_SECONDS: i32 = 900;

/// A token to create.
#[derive(InputObject, Debug)]
pub(crate) struct CreateMemberTokenInput {
    /// The member's account. May be left out, since the member's id determines it.
    account_id: Option<ID>,
    /// The member who signs in with it.
    member_id: ID,
    /// How long it is valid, in seconds: from 1 to 3600, and at most the longest lifetime that the server accepts.
    #[graphql(default_with = "Some(USUAL_SECONDS)")]
    expires_in_seconds: Option<i32>,
}

pub(crate) struct CreateMemberTokenPayload(Outcome<member::MemberToken>);

/// The result of createMemberToken.
#[Object]
impl CreateMemberTokenPayload {
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

    /// Why no token was created. Empty on success.
    pub(crate) async fn user_errors(&self) -> Vec<UserError> {
        self.0.errors.clone()
    }
}

async fn create(scope: &Scope, input: CreateMemberTokenInput) -> Result<member::MemberToken, Failure> {
    let at = ("memberId", "member");
    let (account_id, uuid) = scope.account_of(input.account_id.as_ref(), &input.member_id, IdKind::Member, at)?;
    let seconds = input.expires_in_seconds.unwrap_or(USUAL_SECONDS);
    let sign_in = &scope.services.sign_in;
    Ok(sign_in
        .member_token(scope.actor(), account_id, MemberId::from_uuid(uuid), seconds.into())
        .await?)
}

#[derive(Default)]
pub(crate) struct MemberTokenMutation;

#[Object]
impl MemberTokenMutation {
    /// Creates a short-lived token that signs a member in. Your server passes it to the member's page, so your server need not
    /// sign tokens. It is signed with the secret `auth.jwt_secret`; refused when only the keys of an issuer are configured.
    /// [auth: `MANAGE_MEMBERS` of the platform]
    async fn create_member_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "For whom, and for how long.")] input: CreateMemberTokenInput,
    ) -> Option<Result<CreateMemberTokenPayload, ApiError>> {
        nullable(async {
            let outcome = Outcome::settle(create(scope(ctx)?, input).await)?;
            Ok(Some(CreateMemberTokenPayload(outcome)))
        })
        .await
    }
}

impl From<MemberTokenError> for Failure {
    fn from(error: MemberTokenError) -> Self {
        match error {
            MemberTokenError::Access(error) => error.into(),
            MemberTokenError::Invalid(error) => error.into(),
            MemberTokenError::OfPlatform => Self::new(UserErrorCode::Forbidden, None, error.to_string()),
            MemberTokenError::NotFound => Self::not_found("memberId", "member"),
            MemberTokenError::MemberRemoved => {
                Self::new(UserErrorCode::MemberRemoved, Some("memberId"), error.to_string())
            }
            MemberTokenError::NoSecret => Self::new(UserErrorCode::Validation, None, error.to_string()),
            MemberTokenError::Fault(fault) => fault.into(),
        }
    }
}
