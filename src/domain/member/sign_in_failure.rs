//! Why a credential is refused, for the log and for developers. Callers do not get the reason, because it would reveal which accounts
//! and members exist.

use super::error::SignInError;
use super::sign_in::SignIn;
use super::token::KeyText;
use crate::domain::fault::Fault;

/// The reason why a credential is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInFailure {
    /// The API key is unknown, or was revoked.
    #[error("there is no such API key, or it was revoked")]
    ApiKey,
    /// The token was not signed with our secret or a key of the issuer, or names another issuer or audience.
    #[error(
        "the token is not signed with the secret (auth.jwt_secret, or auth.jwt_secret_previous while that is set) or a key of \
         auth.jwks_url, or names another issuer or audience"
    )]
    Signature,
    /// The token's account does not exist.
    #[error("the token's acct claim names no account")]
    Account,
    /// The account has no such member.
    #[error("the token's sub claim names no member of the account")]
    Member,
    /// The member was removed.
    #[error("the member that the token's sub claim names was removed from the team")]
    Removed,
}

impl SignIn {
    /// Returns why a refused credential was refused. `None` where it would be accepted now.
    pub async fn failure(&self, credential: &str) -> Result<Option<SignInFailure>, Fault> {
        if KeyText::is_meant(credential) {
            return Ok(Some(SignInFailure::ApiKey));
        }
        let claims = match self.verified(credential).await {
            Ok(claims) => claims,
            Err(SignInError::Fault(fault)) => return Err(fault),
            Err(SignInError::Unauthenticated(_)) => return Ok(Some(SignInFailure::Signature)),
        };
        let Ok(account) = claims.account() else {
            return Ok(Some(SignInFailure::Account));
        };
        if let Some(account) = account
            && !self.has_account(&account).await?
        {
            return Ok(Some(SignInFailure::Account));
        }
        Ok(match self.member_of(&claims).await {
            Err(SignInError::Fault(fault)) => return Err(fault),
            Err(SignInError::Unauthenticated(_)) | Ok(None) => Some(SignInFailure::Member),
            Ok(Some(member)) if member.removed_at.is_some() => Some(SignInFailure::Removed),
            Ok(Some(_)) => None,
        })
    }
}
