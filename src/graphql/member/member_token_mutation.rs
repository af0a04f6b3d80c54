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

/// How long a token lives when nothing is said, in seconds.
const USUAL_SECONDS: i32 = 900;

/// A token to make.
#[derive(InputObject, Debug)]
pub(crate) struct CreateMemberTokenInput {
    /// The member's account. May be left out, since the member's id leads to it.
    account_id: Option<ID>,
    /// Whom it signs in.
    member_id: ID,
    /// How long it is accepted, in seconds: from 1 to 3600, and no longer than the server accepts tokens.
    #[graphql(default_with = "Some(USUAL_SECONDS)")]
    expires_in_seconds: Option<i32>,
}

/// What createMemberToken answers.
pub(crate) struct CreateMemberTokenPayload(Outcome<member::MemberToken>);

/// What createMemberToken answers.
#[Object]
impl CreateMemberTokenPayload {
    /// The token: it is not kept here. Null when refused.
    async fn token(&self) -> Option<&str> {
        self.0.done.as_ref().map(|made| made.token.as_str())
    }

    /// From when on it is no longer accepted. Null when refused.
    async fn expires_at(&self) -> Option<Timestamp> {
        self.0.done.as_ref().map(|made| made.expires_at)
    }

    /// Whom it signs in. Null when refused.
    async fn member(&self) -> Option<Member> {
        self.0.done.as_ref().map(|made| Member::new(made.member.clone()))
    }

    /// Why no token was made. Empty when one was.
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

/// Mutations of tokens.
#[derive(Default)]
pub(crate) struct MemberTokenMutation;

/// Mutations of tokens.
#[Object]
impl MemberTokenMutation {
    /// Makes a short-lived token that signs a member in, for your server to hand to the member's page: so it need not sign any itself.
    /// Signed with the server's own secret (`auth.jwt_secret`); refused where only an issuer's keys are configured.
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
