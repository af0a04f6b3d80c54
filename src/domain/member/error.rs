//! Why a change of accounts, members or API keys is refused: one enum for each use case.

use crate::domain::fault::Fault;
use crate::primitives::actor::Permission;

use super::model::{Account, Contact, Member};

/// Why an account is not created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateAccountRefusal {
    /// An account that was created from other input has this external id. Contains that account in its
    /// current state.
    #[error("another account has this externalId")]
    ExternalIdTaken(Box<Account>),
}

/// Why an account is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateAccountRefusal {
    /// The actor belongs to one account, so it must not learn which ids other accounts have.
    #[error("only keys of the platform that are not bound to one account can change external ids of accounts")]
    ExternalIdOfPlatform,
    /// Another account has this external id. Contains the account that was to be changed, never the other one.
    #[error("another account has this externalId")]
    ExternalIdTaken(Box<Account>),
    /// The account was changed since the expected version. Contains its current state.
    #[error("the account was changed in the meantime: its version is {}", .0.version)]
    VersionConflict(Box<Account>),
}

/// Why a contact is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateContactRefusal {
    /// There is no such member.
    #[error("this member does not exist")]
    NotFound,
    /// The member left the team.
    #[error("this member was removed from the team")]
    MemberRemoved,
    /// A team tried to vouch for an address.
    #[error(
        "only the platform can vouch for addresses; a team verifies an address with sendContactVerification and verifyContact"
    )]
    VouchingOfPlatform,
    /// The contact was changed since the expected version. Contains its current state.
    #[error("the contact was changed in the meantime: its version is {}", .0.version)]
    VersionConflict(Box<Contact>),
}

/// Why no code is created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartVerificationRefusal {
    /// There is no such member.
    #[error("this member does not exist")]
    NotFound,
    /// The contact has no address.
    #[error("there is no e-mail address: set one with updateContact first")]
    NoAddress,
    /// The address is verified already.
    #[error("this e-mail address is already verified")]
    AlreadyVerified,
    /// The last code was created too recently.
    #[error("a code was sent a moment ago: check the inbox, or request another one in {retry_after_seconds} s")]
    TooSoon {
        /// Seconds until another code can be created.
        retry_after_seconds: u32,
    },
    /// The bound of mail to unverified addresses is reached.
    #[error(
        "today's limit of mail to unverified addresses is reached: retry in {retry_after_seconds} s, or have the platform vouch for the address"
    )]
    TooMany {
        /// Seconds until the bound allows another mail.
        retry_after_seconds: u32,
    },
}

/// Why an address is not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyContactRefusal {
    /// There is no such member.
    #[error("this member does not exist")]
    NotFound,
    /// The code is wrong, too old, tried too often, or for another address.
    #[error("this code is wrong or has expired: request another one with sendContactVerification")]
    CodeInvalid,
}

/// Why a member is not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddMemberRefusal {
    /// A member, possibly a removed one, has this external id. Contains that member in its current state.
    #[error("another member of the account has this externalId")]
    ExternalIdTaken(Box<Member>),
    /// A team tried to set an external id.
    #[error("only the platform can set external ids: its users sign in with them")]
    ExternalIdOfPlatform,
    /// A team tried to vouch for an address.
    #[error(
        "only the platform can vouch for addresses; a team verifies an address with sendContactVerification and verifyContact"
    )]
    VouchingOfPlatform,
}

/// Why a member is neither added nor changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpsertMemberRefusal {
    /// The account would have no owner.
    #[error("the account needs an owner, and this is the last one; make another member an owner first")]
    LastOwner,
    /// A team tried to set an external id.
    #[error("only the platform can set external ids: its users sign in with them")]
    ExternalIdOfPlatform,
}

/// Why a member is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateMemberRefusal {
    /// The account has no such member.
    #[error("this member does not exist")]
    NotFound,
    /// The member left the team. Upserting by external id brings the member back.
    #[error("this member was removed from the team")]
    MemberRemoved,
    /// The account would have no owner.
    #[error("the account needs an owner, and this is the last one; make another member an owner first")]
    LastOwner,
    /// Another member has this external id. Contains the member that was to be changed.
    #[error("another member of the account has this externalId")]
    ExternalIdTaken(Box<Member>),
    /// The member was changed since the expected version. Contains its current state.
    #[error("the member was changed in the meantime: its version is {}", .0.version)]
    VersionConflict(Box<Member>),
    /// A team tried to set an external id.
    #[error("only the platform can set external ids: its users sign in with them")]
    ExternalIdOfPlatform,
}

/// Why a member is not removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoveMemberRefusal {
    /// The account has no such member.
    #[error("this member does not exist")]
    NotFound,
    /// The account would have no owner.
    #[error("the account needs an owner, and this is the last one; make another member an owner first")]
    LastOwner,
}

/// Why an API key is not created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateApiKeyRefusal {
    /// A key cannot have more permissions than its creator.
    #[error("a key cannot have the permission {}, which its creator does not have", .0.name())]
    BeyondOwn(Permission),
    /// A key of the team cannot have a permission of the platform.
    #[error("a key of side TEAM cannot have the permission {}: only keys of the platform can", .0.name())]
    BeyondSide(Permission),
    /// A member or a key of the team asked for a key of the platform.
    #[error("only the platform can create keys of side PLATFORM; leave side out, or send TEAM")]
    SideOfPlatform,
}

/// Why an API key is not revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokeApiKeyRefusal {
    /// The account has no such key.
    #[error("this API key does not exist")]
    NotFound,
}

/// Why a credential is refused. It helps the holder of a credential and does not help an attacker: an unknown key, a
/// wrong signature and a removed member are all [`Rejection::Refused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Neither an API key nor a JWT.
    #[error("the credential is neither an API key nor a JWT")]
    Malformed,
    /// The token lacks this claim.
    #[error("the token has no {0} claim; add it where the token is issued")]
    MissingClaim(&'static str),
    /// This claim contains a value that no account or member can have.
    #[error("the token's {0} claim must be a text without control characters, or a whole number of at most 64 bits")]
    InvalidClaim(&'static str),
    /// Read as seconds, the expiry lies beyond the year 5000.
    #[error("the token's exp claim must be in seconds since 1970; it seems to be in milliseconds")]
    ExpiryInMilliseconds,
    /// The token is valid for longer than the service accepts.
    #[error(
        "the token is valid for more than {most_seconds} s; issue one with an earlier exp, or raise auth.max_token_lifetime"
    )]
    LivesTooLong {
        /// The longest accepted lifetime, in seconds.
        most_seconds: u64,
    },
    /// The token has expired.
    #[error("the credential has expired; sign in again")]
    Expired,
    /// The token is not valid yet.
    #[error("the credential is not valid yet; check the clock of its issuer")]
    NotYetValid,
    /// The credential is refused, and the caller does not get the reason.
    #[error("the credential is not accepted")]
    Refused,
}

/// Why a caller is not signed in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The caller needs another credential.
    #[error(transparent)]
    Unauthenticated(#[from] Rejection),
    /// Internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why no sign-in token is issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueTokenError {
    /// No secret is configured, so another issuer issues the tokens.
    #[error("no secret is configured for signing tokens")]
    NoSecret,
    /// The token would be valid for longer than the service accepts.
    #[error(
        "a token may be valid for at most {most_seconds} s: request a shorter time, or raise auth.max_token_lifetime"
    )]
    LivesTooLong {
        /// The longest accepted lifetime, in seconds.
        most_seconds: u64,
    },
    /// Internal failure; the caller cannot fix it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why no token is made for a member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberTokenRefusal {
    /// A team asked. With a token its holder could act as another member.
    #[error("only keys of the platform can create tokens for members")]
    OfPlatform,
    /// The account has no such member.
    #[error("this member does not exist")]
    NotFound,
    /// The member left the team.
    #[error("this member was removed from the team")]
    MemberRemoved,
    /// Another issuer issues the tokens.
    #[error(
        "this server has no secret for signing tokens: have your OIDC issuer create them, or also set auth.jwt_secret (LEDGERBELL_AUTH_JWT_SECRET)"
    )]
    NoSecret,
}
