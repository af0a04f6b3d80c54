//! Public keys of an external issuer of tokens: the port that fetches them, and a cache.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use crate::domain::fault::Fault;
use crate::primitives::clock::{Clock, Timestamp};

use super::error::{Rejection, SignInError};

/// After an unknown key the set is fetched again, but not more often than this: any client can name unknown keys.
const FETCH_AGAIN_AFTER_MILLIS: i64 = 5_000;
/// The next use of a set this old fetches it again, so that a withdrawn key is no longer accepted.
const STALE_AFTER_MILLIS: i64 = 600_000;
/// Keys of a set that are used.
const MAX_KEYS: usize = 100;

/// The source of an issuer's public keys.
pub trait KeySetSource: fmt::Debug + Send + Sync {
    /// Fetches the JWK set that the issuer publishes, as JSON. Bounds the time and the length of the text.
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<String, Fault>> + Send + '_>>;

    /// How long fetched keys are accepted when they cannot be fetched again.
    fn lifetime(&self) -> Duration {
        Duration::from_hours(1)
    }
}

#[derive(Debug)]
pub(super) struct KeySet {
    source: Arc<dyn KeySetSource>,
    clock: Clock,
    known: RwLock<Option<Known>>,
    /// The start of the last fetch. The lock is held while fetching: one at a time is enough.
    begun_at: tokio::sync::Mutex<Option<Timestamp>>,
}

#[derive(Clone, Debug)]
struct Known {
    keys: Arc<[VerifyingKey]>,
    fetched_at: Timestamp,
}

#[derive(Debug)]
struct VerifyingKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl KeySet {
    pub(super) fn new(source: Arc<dyn KeySetSource>, clock: Clock) -> Self {
        Self {
            source,
            clock,
            known: RwLock::new(None),
            begun_at: tokio::sync::Mutex::new(None),
        }
    }

    /// Returns the key named `id`. When a token names none, returns the only key for this algorithm.
    pub(super) async fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, SignInError> {
        let now = self.clock.now();
        let known = self.known(now);
        match known.as_ref().and_then(|known| known.find(id, algorithm)) {
            Some(key) if known.is_some_and(|known| known.is_stale(now)) => {
                // Known keys do not wait for a fetch.
                if let Ok(mut begun_at) = self.begun_at.try_lock()
                    && may_fetch(*begun_at, now)
                {
                    match self.fetch(&mut begun_at, now).await {
                        Ok(fetched) => return fetched.find(id, algorithm).ok_or(Rejection::Refused.into()),
                        Err(fault) => {
                            tracing::warn!(%fault, "the issuer's keys cannot be fetched; the known keys are used until they expire");
                        }
                    }
                }
                Ok(key)
            }
            Some(key) => Ok(key),
            None => self.key_fetched(id, algorithm).await,
        }
    }

    async fn key_fetched(&self, id: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, SignInError> {
        let mut begun_at = self.begun_at.lock().await;
        // Another caller may have fetched the set while this one waited for the lock.
        let now = self.clock.now();
        let known = self.known(now);
        if let Some(key) = known.as_ref().and_then(|known| known.find(id, algorithm)) {
            return Ok(key);
        }
        if !may_fetch(*begun_at, now) {
            return Err(match known {
                Some(_) => Rejection::Refused.into(),
                None => Fault::Unavailable("the issuer's keys could not be fetched".to_owned()).into(),
            });
        }
        let fetched = self.fetch(&mut begun_at, now).await?;
        fetched.find(id, algorithm).ok_or(Rejection::Refused.into())
    }

    async fn fetch(&self, begun_at: &mut Option<Timestamp>, now: Timestamp) -> Result<Known, Fault> {
        // Set before the fetch, so that a fetch that fails or is canceled counts too.
        *begun_at = Some(now);
        let text = self.source.fetch().await?;
        let known = Known {
            keys: parse(&text)?.into(),
            fetched_at: now,
        };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known)
    }

    /// Returns the accepted keys: none before the first fetch, and none after their lifetime. So a key that the issuer has
    /// revoked does not sign in forever when the issuer cannot be reached.
    fn known(&self, now: Timestamp) -> Option<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        let lifetime = i64::try_from(self.source.lifetime().as_millis()).unwrap_or(i64::MAX);
        known.filter(|known| now < known.fetched_at.plus_millis(lifetime))
    }
}

fn may_fetch(begun_at: Option<Timestamp>, now: Timestamp) -> bool {
    // A clock that was set back must not prevent fetches.
    begun_at.is_none_or(|begun_at| now < begun_at || now >= begun_at.plus_millis(FETCH_AGAIN_AFTER_MILLIS))
}

impl Known {
    fn is_stale(&self, now: Timestamp) -> bool {
        now < self.fetched_at || now >= self.fetched_at.plus_millis(STALE_AFTER_MILLIS)
    }

    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let mut suited = self
            .keys
            .iter()
            .filter(|key| key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id));
        let first = suited.next()?;
        // Without a name, only an unambiguous key is accepted.
        (id.is_some() || suited.next().is_none()).then(|| first.key.clone())
    }
}

fn parse(text: &str) -> Result<Vec<VerifyingKey>, Fault> {
    #[derive(serde::Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_str(text)
        .map_err(|error| Fault::Unavailable(format!("the issuer's response is not a JWK set: {error}")))?;
    // Keys of other or unknown kinds are skipped: they must not make the whole set unusable.
    Ok(set
        .keys
        .into_iter()
        .take(MAX_KEYS)
        .filter_map(|key| serde_json::from_value::<Jwk>(key).ok())
        .filter_map(|jwk| VerifyingKey::from_jwk(&jwk))
        .collect())
}

impl VerifyingKey {
    /// The algorithm follows from the key and never from a token. A symmetric key in a published set is not secret and
    /// is never used.
    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
            _ => return None,
        };
        let common = &jwk.common;
        let is_for_signatures = common
            .public_key_use
            .as_ref()
            .is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
            && common
                .key_operations
                .as_ref()
                .is_none_or(|operations| operations.contains(&KeyOperations::Verify))
            && common.key_algorithm.is_none_or(|named| named == algorithm.into());
        if !is_for_signatures {
            return None;
        }
        Some(Self {
            id: common.key_id.clone(),
            algorithm,
            key: DecodingKey::from_jwk(jwk).ok()?,
        })
    }
}
