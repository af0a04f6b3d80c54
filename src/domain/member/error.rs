//! Why a change of accounts, members or API keys is refused: one enum for each use case.

use crate::domain::database::MayFault;
use crate::domain::fault::{Fault, QueryError};
use crate::primitives::actor::{AccessError, Permission};

use super::model::{Account, Contact, Member};

/// An input that no state makes valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidInput {
    /// The path in the input, its parts joined by points: `owner.email`.
    pub field: &'static str,
    /// For people.
    pub message: String,
}

impl From<InvalidInput> for QueryError {
    fn from(invalid: InvalidInput) -> Self {
        Self::Invalid {
            field: invalid.field,
            message: invalid.message,
        }
    }
}

/// Why an account is not created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateAccountError {
    /// Only the platform's keys create accounts.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// See [`InvalidInput`].
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// An account made from other input has this external id. It is given as it is now.
    #[error("another account has this externalId")]
    ExternalIdTaken(Box<Account>),
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why an account is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateAccountError {
    /// Not the caller's, or not theirs to change.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// See [`InvalidInput`].
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The actor belongs to one account: what ids the others have is not theirs to find out.
    #[error("only keys of the platform that belong to no single account change external ids of accounts")]
    ExternalIdOfPlatform,
    /// Another account has this external id. Given is the account that was to be changed, never the other one.
    #[error("another account has this externalId")]
    ExternalIdTaken(Box<Account>),
    /// Somebody changed the account since the version that was expected. It is given as it is now.
    #[error("the account was changed in the meantime: its version is {}", .0.version)]
    VersionConflict(Box<Account>),
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a contact is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateContactError {
    /// The account is not the caller's, or the contact not theirs to change.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// See [`InvalidInput`].
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// There is no such member.
    #[error("this member does not exist")]
    NotFound,
    /// The member left the team.
    #[error("this member was removed from the team")]
    MemberRemoved,
    /// A team tries to vouch for an address.
    #[error(
        "only the platform vouches for addresses; a team verifies one with sendContactVerification and verifyContact"
    )]
    VouchingOfPlatform,
    /// Somebody changed the contact since the version that was expected. It is given as it is now.
    #[error("the contact was changed in the meantime: its version is {}", .0.version)]
    VersionConflict(Box<Contact>),
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why no code is made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartVerificationError {
    /// The account is not the caller's, or the contact not theirs to change.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There is no such member.
    #[error("this member does not exist")]
    NotFound,
    /// There is nowhere to send it.
    #[error("there is no e-mail address: give one with updateContact first")]
    NoAddress,
    /// There is nothing to show.
    #[error("this e-mail address is verified already")]
    AlreadyVerified,
    /// A code was made a moment ago.
    #[error("a code was sent a moment ago: look for it, or ask again in {retry_after_seconds} s")]
    TooSoon {
        /// When another one is made.
        retry_after_seconds: u32,
    },
    /// Enough mail went to addresses that are not verified.
    #[error(
        "enough mail was sent today to addresses that are not verified: ask again in {retry_after_seconds} s, \
         or have the platform vouch for the address"
    )]
    TooMany {
        /// When there is room again.
        retry_after_seconds: u32,
    },
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why an address is not verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyContactError {
    /// The account is not the caller's, or the contact not theirs to change.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// There is no such member.
    #[error("this member does not exist")]
    NotFound,
    /// Wrong, too old, tried too often, or for another address.
    #[error("this code is wrong or no longer good: ask for another one with sendContactVerification")]
    CodeInvalid,
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a member is not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddMemberError {
    /// The account is not the caller's, or not theirs to change.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// See [`InvalidInput`].
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// A member, perhaps a removed one, has this external id. It is given as it is now.
    #[error("another member of the account has this externalId")]
    ExternalIdTaken(Box<Member>),
    /// A team tries to set an external id.
    #[error("only the platform sets external ids: by them its users sign in")]
    ExternalIdOfPlatform,
    /// A team tries to vouch for an address.
    #[error(
        "only the platform vouches for addresses; a team verifies one with sendContactVerification and verifyContact"
    )]
    VouchingOfPlatform,
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a member is neither added nor changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpsertMemberError {
    /// The account is not the caller's, or not theirs to change.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// See [`InvalidInput`].
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The account would be left without an owner.
    #[error("the account needs an owner, and this is the last one; make another member an owner first")]
    LastOwner,
    /// A team tries to set an external id.
    #[error("only the platform sets external ids: by them its users sign in")]
    ExternalIdOfPlatform,
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a member is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateMemberError {
    /// The account is not the caller's, or not theirs to change.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// See [`InvalidInput`].
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// No such member in the account.
    #[error("this member does not exist")]
    NotFound,
    /// The member left the team; upserting by external id brings them back.
    #[error("this member was removed from the team")]
    MemberRemoved,
    /// The account would be left without an owner.
    #[error("the account needs an owner, and this is the last one; make another member an owner first")]
    LastOwner,
    /// Another member has this external id. Given is the member that was to be changed.
    #[error("another member of the account has this externalId")]
    ExternalIdTaken(Box<Member>),
    /// Somebody changed the member since the version that was expected. It is given as it is now.
    #[error("the member was changed in the meantime: its version is {}", .0.version)]
    VersionConflict(Box<Member>),
    /// A team tries to set an external id.
    #[error("only the platform sets external ids: by them its users sign in")]
    ExternalIdOfPlatform,
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a member is not removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoveMemberError {
    /// The account is not the caller's, or not theirs to change.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// No such member in the account.
    #[error("this member does not exist")]
    NotFound,
    /// The account would be left without an owner.
    #[error("the account needs an owner, and this is the last one; make another member an owner first")]
    LastOwner,
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why an API key is not created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateApiKeyError {
    /// The account is not the caller's, or its keys are not theirs to make.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// See [`InvalidInput`].
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// A key never may do more than its maker.
    #[error("a key cannot have {}, which its maker does not have", .0.name())]
    BeyondOwn(Permission),
    /// A key of the team never may do what is the platform's.
    #[error("a key of side TEAM cannot have {}: only keys of the platform can", .0.name())]
    BeyondSide(Permission),
    /// A member or a key of the team asks for a key of the platform.
    #[error("only the platform makes keys of side PLATFORM; leave side out, or give TEAM")]
    SideOfPlatform,
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why an API key is not revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokeApiKeyError {
    /// The account is not the caller's, or its keys are not theirs to revoke.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// No such key in the account.
    #[error("this API key does not exist")]
    NotFound,
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a credential signs nobody in. It tells its holder what to do, and an attacker nothing: an unknown key, a wrong
/// signature and a removed member are all [`Rejection::Refused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Neither an API key nor a JWT.
    #[error("the credential is neither an API key nor a JWT")]
    Malformed,
    /// The token lacks this claim.
    #[error("the token has no {0} claim; add it where the token is issued")]
    MissingClaim(&'static str),
    /// This claim names nothing that could exist.
    #[error("the token's {0} claim must be a text without control characters, or a whole number of at most 64 bits")]
    InvalidClaim(&'static str),
    /// As seconds, the expiry lies beyond the year 5000.
    #[error("the token's exp claim must be in seconds since 1970; it seems to be in milliseconds")]
    ExpiryInMilliseconds,
    /// It is valid for longer than the service accepts.
    #[error(
        "the token is valid for more than {most_seconds} s; issue one whose exp is nearer to its iat, or raise \
             auth.max_token_lifetime"
    )]
    LivesTooLong {
        /// The longest accepted lifetime.
        most_seconds: u64,
    },
    /// Its time is over.
    #[error("the credential has expired; sign in again")]
    Expired,
    /// Its time has not come.
    #[error("the credential is not valid yet; check the clock of its issuer")]
    NotYetValid,
    /// Not accepted, and why is not told.
    #[error("the credential is not accepted")]
    Refused,
}

/// Why nobody is signed in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The caller needs another credential.
    #[error(transparent)]
    Unauthenticated(#[from] Rejection),
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why no sign-in token is issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueTokenError {
    /// Tokens are issued by somebody else: no secret is configured.
    #[error("no secret is configured to sign tokens with")]
    NoSecret,
    /// The service would refuse it.
    #[error("a token may be valid for at most {most_seconds} s: ask for less, or raise auth.max_token_lifetime")]
    LivesTooLong {
        /// The longest accepted lifetime.
        most_seconds: u64,
    },
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why the platform gets no token for a member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberTokenError {
    /// The account is not the caller's, or its members are not theirs to manage.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// See [`InvalidInput`].
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// A team asks: a token would make its holder another member.
    #[error("only keys of the platform make tokens that sign members in")]
    OfPlatform,
    /// No such member in the account.
    #[error("this member does not exist")]
    NotFound,
    /// The member left the team.
    #[error("this member was removed from the team")]
    MemberRemoved,
    /// Tokens are issued by somebody else.
    #[error(
        "this server has no secret to sign tokens with: have your OIDC issuer make them, or set auth.jwt_secret \
         (LEDGERBELL_AUTH_JWT_SECRET) as well"
    )]
    NoSecret,
    /// Nobody out there can mend it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

macro_rules! may_fault {
    ($($error:ident),*) => {$(
        impl MayFault for $error {
            fn fault(&self) -> Option<&Fault> {
                match self {
                    Self::Fault(fault) => Some(fault),
                    _ => None,
                }
            }
        }
    )*};
}

may_fault!(
    UpdateContactError,
    StartVerificationError,
    VerifyContactError,
    UpdateAccountError,
    AddMemberError,
    UpsertMemberError,
    UpdateMemberError,
    RemoveMemberError,
    CreateApiKeyError,
    RevokeApiKeyError
);
