//! Tokens of members that the platform requests, so that its own server need not sign any.

use std::fmt::Display;
use std::time::Duration;

use crate::domain::fault::{Fault, InvalidInput, Refused, UseCaseError};
use crate::primitives::actor::{Actor, Permission, Side};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, MemberId};

use super::error::{IssueTokenError, MemberTokenRefusal};
use super::model::Member;
use super::sign_in::SignIn;
use super::store;

/// The longest lifetime of such a token, in seconds. A token is in a page's memory, where it may leak, and a new one is quickly
/// made.
const LONGEST_SECONDS: u64 = 3_600;

/// A token that signs a member in.
#[derive(Clone, Debug)]
pub struct MemberToken {
    /// The JWT.
    pub token: String,
    /// When it is no longer accepted.
    pub expires_at: Timestamp,
    /// The member that it signs in.
    pub member: Member,
}

impl SignIn {
    /// Creates a token that signs this member in for `seconds`, at most an hour. For the platform only: the holder of the token
    /// acts as that member.
    ///
    /// It needs the permission to set external ids, which are the other way to decide who signs in as which member.
    pub async fn member_token(
        &self,
        actor: &Actor,
        account_id: AccountId,
        member_id: MemberId,
        seconds: i64,
    ) -> Result<MemberToken, UseCaseError<MemberTokenRefusal>> {
        actor.require(account_id, Permission::ManageMembers)?;
        if actor.side() != Side::Platform {
            return Err(Refused(MemberTokenRefusal::OfPlatform));
        }
        let seconds = u64::try_from(seconds)
            .ok()
            .filter(|seconds| (1..=LONGEST_SECONDS).contains(seconds))
            .ok_or_else(|| lifetime(LONGEST_SECONDS))?;
        let member = store::member(self.database().read(), account_id, member_id)
            .await?
            .ok_or(Refused(MemberTokenRefusal::NotFound))?;
        if member.removed_at.is_some() {
            return Err(Refused(MemberTokenRefusal::MemberRemoved));
        }
        let token = self
            .issue_token(account_id, member_id, Duration::from_secs(seconds))
            .map_err(|error| match error {
                IssueTokenError::NoSecret => Refused(MemberTokenRefusal::NoSecret),
                IssueTokenError::LivesTooLong { most_seconds } => lifetime(most_seconds).into(),
                IssueTokenError::Fault(fault) => fault.into(),
            })?;
        let expires_at = self.end_of(&token).await?;
        Ok(MemberToken {
            token,
            expires_at,
            member,
        })
    }

    /// Returns when a token of ours is no longer accepted, as sign-in reads it.
    async fn end_of(&self, token: &str) -> Result<Timestamp, Fault> {
        let refused = |error: &dyn Display| Fault::Internal(format!("a token that was just made is refused: {error}"));
        let claims = self.verified(token).await.map_err(|error| refused(&error))?;
        claims.expires_at().map_err(|rejection| refused(&rejection))
    }
}

fn lifetime(most_seconds: u64) -> InvalidInput {
    InvalidInput::new("expiresInSeconds", format!("must be from 1 to {most_seconds}"))
}
