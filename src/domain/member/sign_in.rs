//! From a credential to an [`Actor`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey};

use crate::domain::database::Database;
use crate::domain::fault::Fault;
use crate::primitives::actor::Actor;
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::ids::{AccountId, GlobalId, IdKind, MemberId, resembles_id};

use super::api_keys::ApiKeys;
use super::error::{IssueTokenError, Rejection, SignInError};
use super::key_set::{KeySet, KeySetSource};
use super::model::Member;
use super::store;
use super::token::{Claims, Expected, KeyText, claimed};

/// Who may issue tokens. With neither secret nor key set, only API keys are accepted.
#[derive(Clone, Default)]
pub struct SignInSettings {
    /// The secret shared with issuers of HS256 tokens.
    pub hs256_secret: Option<Vec<u8>>,
    /// The previous secret. Its tokens are accepted; no token is issued with it.
    pub hs256_previous_secret: Option<Vec<u8>>,
    /// Public keys of the issuer of RS256, ES256 or `EdDSA` tokens.
    pub key_set: Option<Arc<dyn KeySetSource>>,
    /// The only `iss` accepted.
    pub issuer: Option<String>,
    /// An `aud` that tokens must name.
    pub audience: Option<String>,
    /// The longest lifetime that is accepted.
    pub max_token_lifetime: Option<Duration>,
}

impl fmt::Debug for SignInSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInSettings")
            .field("hs256_secret", &self.hs256_secret.as_ref().map(|_| "***"))
            .field(
                "hs256_previous_secret",
                &self.hs256_previous_secret.as_ref().map(|_| "***"),
            )
            .field("key_set", &self.key_set)
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("max_token_lifetime", &self.max_token_lifetime)
            .finish()
    }
}

/// The result of an accepted credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The actor that the credential authenticates.
    pub actor: Actor,
    /// When the credential is no longer accepted.
    pub expires_at: Option<Timestamp>,
}

/// Authenticates callers. Nothing about members and keys is cached: changes of role, removals and revocations
/// count at once.
#[derive(Clone)]
pub struct SignIn {
    clock: Clock,
    database: Database,
    api_keys: ApiKeys,
    secret: Option<Arc<[u8]>>,
    previous_secret: Option<Arc<[u8]>>,
    key_set: Option<Arc<KeySet>>,
    expected: Expected,
    explains: bool,
}

impl SignIn {
    /// Returns the same, with reasons for refused credentials in responses: for development.
    #[must_use]
    pub fn explaining(self, explains: bool) -> Self {
        Self { explains, ..self }
    }

    /// Whether responses contain the reason for a refused credential.
    pub fn explains(&self) -> bool {
        self.explains
    }

    /// Creates sign-in with these settings.
    pub fn new(clock: Clock, database: Database, api_keys: ApiKeys, settings: SignInSettings) -> Self {
        Self {
            key_set: settings
                .key_set
                .map(|source| Arc::new(KeySet::new(source, clock.clone()))),
            secret: settings.hs256_secret.map(Into::into),
            previous_secret: settings.hs256_previous_secret.map(Into::into),
            expected: Expected {
                issuer: settings.issuer,
                audience: settings.audience,
                max_lifetime: settings.max_token_lifetime,
            },
            clock,
            database,
            api_keys,
            explains: false,
        }
    }

    /// Authenticates a credential: an API key, or a JWT, without the word `Bearer`.
    pub async fn authenticate(&self, credential: &str) -> Result<SignedIn, SignInError> {
        if KeyText::is_meant(credential) {
            return self.api_keys.authenticate(credential).await;
        }
        let claims = self.verified(credential).await?;
        let member = self.member_of(&claims).await?.ok_or(Rejection::Refused)?;
        if member.removed_at.is_some() {
            return Err(Rejection::Refused.into());
        }
        // A member who was removed and added again needs a new token: removing ends the tokens that were
        // issued before.
        if let Some(returned_at) = member.returned_at
            && claims.is_older_than(returned_at)?
        {
            return Err(Rejection::Expired.into());
        }
        Ok(SignedIn {
            actor: member.actor(),
            expires_at: Some(claims.expires_at()?),
        })
    }

    /// Creates a token that signs this member in: for development, where there is no other issuer.
    pub fn issue_token(
        &self,
        account_id: AccountId,
        member_id: MemberId,
        ttl: Duration,
    ) -> Result<String, IssueTokenError> {
        let secret = self.secret.as_ref().ok_or(IssueTokenError::NoSecret)?;
        if let Some(most) = self.expected.max_lifetime.filter(|most| ttl > *most) {
            return Err(IssueTokenError::LivesTooLong {
                most_seconds: most.as_secs(),
            });
        }
        let ttl_seconds = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        Ok(Claims::sign(
            member_id.global(account_id).to_string(),
            account_id.to_string(),
            secret,
            &self.expected,
            self.clock.now(),
            ttl_seconds,
        )?)
    }

    /// The database with the members.
    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// Returns the claims of a token whose signature is valid.
    ///
    /// The algorithm in the token only selects between the secrets, which accept HS256 alone, and the key set, whose keys
    /// each accept one algorithm. So a public key can never be used as a secret.
    pub(super) async fn verified(&self, token: &str) -> Result<Claims, SignInError> {
        let claimed = claimed(token)?;
        let key = match (claimed.algorithm, &self.key_set) {
            (Algorithm::HS256, _) => return Ok(self.verified_by_secret(token)?),
            (algorithm @ (Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA), Some(key_set)) => {
                key_set.key(claimed.key_id.as_deref(), algorithm).await?
            }
            _ => return Err(Rejection::Refused.into()),
        };
        let claims = Claims::verify(token, claimed.algorithm, &key, &self.expected, self.clock.now())?;
        Ok(claims)
    }

    /// Returns the claims of a token that is signed with the secret, or with the previous one.
    fn verified_by_secret(&self, token: &str) -> Result<Claims, Rejection> {
        for secret in [&self.secret, &self.previous_secret].into_iter().flatten() {
            let key = DecodingKey::from_secret(secret);
            match Claims::verify(token, Algorithm::HS256, &key, &self.expected, self.clock.now()) {
                // Not signed with this one; try the other.
                Err(Rejection::Refused) => {}
                verified => return verified,
            }
        }
        Err(Rejection::Refused)
    }

    /// Returns the member that the claims name. A text with the form of one of our ids is one of our ids or nothing. It is never
    /// looked up as an external id, which the platform's own users may have chosen.
    pub(super) async fn member_of(&self, claims: &Claims) -> Result<Option<Member>, SignInError> {
        let (subject, account) = (claims.member()?, claims.account()?);
        let member_id = subject.parse::<GlobalId>().ok();
        if member_id.is_none() && resembles_id(&subject) {
            return Ok(None);
        }
        let account_id = match (account, member_id) {
            (Some(account), _) => self.account_of(&account).await?,
            (None, member_id) => member_id.map(|id| id.account_id),
        };
        let Some(account_id) = account_id else {
            return Ok(None);
        };
        let connection = self.database.read();
        Ok(match member_id {
            Some(id) if id.kind != IdKind::Member || id.account_id != account_id => None,
            Some(id) => store::member(connection, account_id, MemberId::from_uuid(id.uuid)).await?,
            None => store::member_by_external_id(connection, account_id, &subject).await?,
        })
    }

    pub(super) async fn account_of(&self, account: &str) -> Result<Option<AccountId>, Fault> {
        match account.parse::<GlobalId>() {
            Ok(id) => Ok((id.kind == IdKind::Account).then_some(id.account_id)),
            Err(_) if resembles_id(account) => Ok(None),
            Err(_) => store::account_id(self.database.read(), account).await,
        }
    }

    /// Whether there is an account with this id or external id.
    pub(super) async fn has_account(&self, account: &str) -> Result<bool, Fault> {
        match self.account_of(account).await? {
            Some(id) => Ok(store::account(self.database.read(), id).await?.is_some()),
            None => Ok(false),
        }
    }
}
