//! Why a change of accounts, members or API keys is refused: one enum for each use case.

use crate::domain::fault::{Fault, refusals};
use crate::primitives::actor::Permission;

use super::model::{Account, Contact, Member};

refusals! {
    /// Why an account is not created.
    CreateAccountRefusal {
        /// An account that was created from other input has this external id. Contains that account in its
        /// current state.
        ExternalIdTaken(Box<Account>) = "another account has this externalId",
    }

    /// Why an account is not changed.
    UpdateAccountRefusal {
        /// The actor belongs to one account, so it must not learn which ids other accounts have.
        ExternalIdOfPlatform = "only keys of the platform that are not bound to one account can change external ids of accounts",
        /// Another account has this external id. Contains the account that was to be changed, never the other one.
        ExternalIdTaken(Box<Account>) = "another account has this externalId",
        /// The account was changed since the expected version. Contains its current state.
        VersionConflict(Box<Account>) = "it was changed since expectedVersion: read it again, then repeat the change",
    }

    /// Why a contact is not changed.
    UpdateContactRefusal {
        /// There is no such member.
        NotFound = "this member does not exist",
        /// The member left the team.
        MemberRemoved = "this member was removed from the team",
        /// A team tried to vouch for an address.
        VouchingOfPlatform = "only the platform can vouch for addresses; a team verifies an address with sendContactVerification and verifyContact",
        /// The contact was changed since the expected version. Contains its current state.
        VersionConflict(Box<Contact>) = "it was changed since expectedVersion: read it again, then repeat the change",
    }

    /// Why no code is created.
    StartVerificationRefusal {
        /// There is no such member.
        NotFound = "this member does not exist",
        /// The contact has no address.
        NoAddress = "there is no e-mail address: set one with updateContact first",
        /// The address is verified already.
        AlreadyVerified = "this e-mail address is already verified",
        /// The last code was created too recently.
        TooSoon {
            /// Seconds until another code can be created.
            retry_after_seconds: u32,
        } = "a code was sent a moment ago: check the inbox, or request another one in {retry_after_seconds} s",
        /// The bound of mail to unverified addresses is reached.
        TooMany {
            /// Seconds until the bound allows another mail.
            retry_after_seconds: u32,
        } = "today's limit of mail to unverified addresses is reached: retry in {retry_after_seconds} s, or have the platform vouch for the address",
    }

    /// Why an address is not verified.
    #[derive(Copy)]
    VerifyContactRefusal {
        /// There is no such member.
        NotFound = "this member does not exist",
        /// The code is wrong, too old, tried too often, or for another address.
        CodeInvalid = "this code is wrong or has expired: request another one with sendContactVerification",
    }

    /// Why a member is not added.
    AddMemberRefusal {
        /// A member, possibly a removed one, has this external id. Contains that member in its current state.
        ExternalIdTaken(Box<Member>) = "another member of the account has this externalId",
        /// A team tried to set an external id.
        ExternalIdOfPlatform = "only the platform can set external ids: its users sign in with them",
        /// A team tried to vouch for an address.
        VouchingOfPlatform = "only the platform can vouch for addresses; a team verifies an address with sendContactVerification and verifyContact",
    }

    /// Why a member is neither added nor changed.
    UpsertMemberRefusal {
        /// The account would have no owner.
        LastOwner = "the account needs an owner, and this is the last one; make another member an owner first",
        /// A team tried to set an external id.
        ExternalIdOfPlatform = "only the platform can set external ids: its users sign in with them",
    }

    /// Why a member is not changed.
    UpdateMemberRefusal {
        /// The account has no such member.
        NotFound = "this member does not exist",
        /// The member left the team. Upserting by external id brings the member back.
        MemberRemoved = "this member was removed from the team",
        /// The account would have no owner.
        LastOwner = "the account needs an owner, and this is the last one; make another member an owner first",
        /// Another member has this external id. Contains the member that was to be changed.
        ExternalIdTaken(Box<Member>) = "another member of the account has this externalId",
        /// The member was changed since the expected version. Contains its current state.
        VersionConflict(Box<Member>) = "it was changed since expectedVersion: read it again, then repeat the change",
        /// A team tried to set an external id.
        ExternalIdOfPlatform = "only the platform can set external ids: its users sign in with them",
    }

    /// Why a member is not removed.
    RemoveMemberRefusal {
        /// The account has no such member.
        NotFound = "this member does not exist",
        /// The account would have no owner.
        LastOwner = "the account needs an owner, and this is the last one; make another member an owner first",
    }

    /// Why an API key is not created.
    CreateApiKeyRefusal {
        /// A key cannot have more permissions than its creator.
        BeyondOwn(Permission) = "a key cannot have the permission {0}, which its creator does not have",
        /// A key of the team cannot have a permission of the platform.
        BeyondSide(Permission) = "a key of side TEAM cannot have the permission {0}: only keys of the platform can",
        /// A member or a key of the team asked for a key of the platform.
        SideOfPlatform = "only the platform can create keys of side PLATFORM; leave side out, or send TEAM",
    }

    /// Why an API key is not revoked.
    RevokeApiKeyRefusal {
        /// The account has no such key.
        NotFound = "this API key does not exist",
    }

    /// Why a credential is refused. It helps the holder of a credential and does not help an attacker: an unknown key, a
    /// wrong signature and a removed member are all [`Rejection::Refused`].
    #[derive(Copy)]
    Rejection {
        /// Neither an API key nor a JWT.
        Malformed = "the credential is neither an API key nor a JWT",
        /// The token lacks this claim.
        MissingClaim(&'static str) = "the token has no {0} claim; add it where the token is issued",
        /// This claim contains a value that no account or member can have.
        InvalidClaim(&'static str) = "the token's {0} claim must be a text without control characters, or a whole number of at most 64 bits",
        /// Read as seconds, the expiry lies beyond the year 5000.
        ExpiryInMilliseconds = "the token's exp claim must be in seconds since 1970; it seems to be in milliseconds",
        /// The token is valid for longer than the service accepts.
        LivesTooLong {
            /// The longest accepted lifetime, in seconds.
            most_seconds: u64,
        } = "the token is valid for more than {most_seconds} s; issue one with an earlier exp, or raise auth.max_token_lifetime",
        /// The token has expired.
        Expired = "the credential has expired; sign in again",
        /// The token is not valid yet.
        NotYetValid = "the credential is not valid yet; check the clock of its issuer",
        /// The credential is refused, and the caller does not get the reason.
        Refused = "the credential is not accepted",
    }
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

refusals! {
    /// Why no token is made for a member.
    MemberTokenRefusal {
        /// A team asked. With a token its holder could act as another member.
        OfPlatform = "only keys of the platform can create tokens for members",
        /// The account has no such member.
        NotFound = "this member does not exist",
        /// The member left the team.
        MemberRemoved = "this member was removed from the team",
        /// Another issuer issues the tokens.
        NoSecret = "this server has no secret for signing tokens: have your OIDC issuer create them, or also set auth.jwt_secret (LEDGERBELL_AUTH_JWT_SECRET)",
    }
}
