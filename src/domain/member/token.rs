//! Credentials as texts: the claims of a JWT, and the form of an API key. No I/O.

use std::time::Duration;

use data_encoding::BASE32_DNSSEC;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;

use super::error::Rejection;

/// The tolerated difference between the clocks of issuers and ours.
const LEEWAY_MILLIS: i64 = 5_000;
/// Longer than any token that this service can use.
const MAX_TOKEN_BYTES: usize = 8_192;

const KEY_START: &str = "lb_";
const PREFIX_BYTES: usize = 10;
const SECRET_BYTES: usize = 32;
/// The number of Base32 characters of `PREFIX_BYTES`. `SECRET_CHARS` is that of `SECRET_BYTES`.
const PREFIX_CHARS: usize = 16;
const SECRET_CHARS: usize = 52;

/// Numbers of seconds from here on are milliseconds: read as seconds they lie beyond the year 5000.
const FIRST_MILLIS: i64 = 100_000_000_000;

/// The claims of a token, once its signature is verified.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Claims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acct: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exp: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iss: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aud: Option<Value>,
}

/// Who must have issued a token, for which audience, and for how long at most. A field that is `None` is not
/// checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    pub(super) issuer: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) max_lifetime: Option<Duration>,
}

/// What a token claims about its own verification. None of it is trusted.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
}

/// Reads a token's header.
pub(super) fn claimed(token: &str) -> Result<Claimed, Rejection> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Rejection::Malformed);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| Rejection::Malformed)?;
    // RFC 7515: critical extensions must be understood, and none of them is.
    if header.crit.is_some() {
        return Err(Rejection::Refused);
    }
    Ok(Claimed {
        algorithm: header.alg,
        key_id: header.kid,
    })
}

impl Claims {
    /// Returns the claims of `token`, signed with exactly this algorithm and key, and valid at `now`.
    pub(super) fn verify(
        token: &str,
        algorithm: Algorithm,
        key: &DecodingKey,
        expected: &Expected,
        now: Timestamp,
    ) -> Result<Self, Rejection> {
        let mut validation = Validation::new(algorithm);
        // The library would use the machine's clock. Times are checked below, by the service's own clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = expected.audience.is_some();
        // `exp` and `sub` are checked below: the library would not accept a number as a subject.
        let mut required = Vec::new();
        if let Some(issuer) = &expected.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &expected.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        let claims = jsonwebtoken::decode::<Self>(token, key, &validation)
            .map_err(|error| rejection(error.kind()))?
            .claims;
        claims.check_times(now)?;
        claims.check_lifetime(expected.max_lifetime, now)?;
        Ok(claims)
    }

    /// Returns the member that the token names: by our id, or by the platform's.
    pub(super) fn member(&self) -> Result<String, Rejection> {
        let sub = self.sub.as_ref().filter(|sub| !sub.is_null());
        name(sub.ok_or(Rejection::MissingClaim("sub"))?, "sub")
    }

    /// Returns the account that the token names: by our id, or by the platform's.
    pub(super) fn account(&self) -> Result<Option<String>, Rejection> {
        let acct = self.acct.as_ref().filter(|acct| !acct.is_null());
        acct.map(|acct| name(acct, "acct")).transpose()
    }

    fn expiry(&self) -> Result<i64, Rejection> {
        millis(self.exp.as_ref().ok_or(Rejection::MissingClaim("exp"))?)
    }

    fn check_times(&self, now: Timestamp) -> Result<(), Rejection> {
        let now = now.millis();
        let expiry = self.expiry()?;
        if expiry / 1_000 >= FIRST_MILLIS {
            return Err(Rejection::ExpiryInMilliseconds);
        }
        if now >= expiry.saturating_add(LEEWAY_MILLIS) {
            return Err(Rejection::Expired);
        }
        match &self.nbf {
            Some(nbf) if now < millis(nbf)?.saturating_sub(LEEWAY_MILLIS) => Err(Rejection::NotYetValid),
            _ => Ok(()),
        }
    }

    /// The lifetime of a token is from its `iat` until its `exp`. Without an `iat`, or with a later one, it
    /// starts now.
    fn check_lifetime(&self, most: Option<Duration>, now: Timestamp) -> Result<(), Rejection> {
        let Some(most) = most else {
            return Ok(());
        };
        let issued = self.iat.as_ref().map(millis).transpose()?;
        let from = issued.map_or(now.millis(), |issued| issued.min(now.millis()));
        let most_millis = i64::try_from(most.as_millis()).unwrap_or(i64::MAX);
        if self.expiry()?.saturating_sub(from) > most_millis.saturating_add(LEEWAY_MILLIS) {
            return Err(Rejection::LivesTooLong {
                most_seconds: most.as_secs(),
            });
        }
        Ok(())
    }

    /// Whether the token was issued before this by its own claim, within the tolerated difference of clocks.
    pub(super) fn is_older_than(&self, at: Timestamp) -> Result<bool, Rejection> {
        let issued = self.iat.as_ref().map(millis).transpose()?;
        Ok(issued.is_some_and(|issued| issued.saturating_add(LEEWAY_MILLIS) < at.millis()))
    }

    /// Returns when the token is no longer accepted.
    pub(super) fn expires_at(&self) -> Result<Timestamp, Rejection> {
        self.expiry().map(|expiry| Timestamp::MIN.plus_millis(expiry))
    }

    /// Creates a token with these claims.
    pub(super) fn sign(
        sub: String,
        acct: String,
        secret: &[u8],
        expected: &Expected,
        now: Timestamp,
        ttl_seconds: i64,
    ) -> Result<String, Fault> {
        let issued = now.millis().div_euclid(1_000);
        let claims = Self {
            sub: Some(sub.into()),
            acct: Some(acct.into()),
            exp: Some(issued.saturating_add(ttl_seconds).into()),
            nbf: None,
            iat: Some(issued.into()),
            iss: expected.issuer.clone().map(Into::into),
            aud: expected.audience.clone().map(Into::into),
        };
        jsonwebtoken::encode(
            &Header::new(Algorithm::HS256),
            &claims,
            &EncodingKey::from_secret(secret),
        )
        .map_err(|error| Fault::Internal(format!("a token cannot be signed: {error}")))
    }
}

/// Returns the id in a claim: a text without control characters, or a whole number, which is read as its digits.
fn name(value: &Value, claim: &'static str) -> Result<String, Rejection> {
    match value {
        // Postgres stores no NUL, and no id has another control character.
        Value::String(text) if !text.chars().any(char::is_control) => Ok(text.clone()),
        // Larger integers are read as floats, so their digits are lost.
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        _ => Err(Rejection::InvalidClaim(claim)),
    }
}

/// Converts seconds since 1970, with or without a fraction, to milliseconds.
fn millis(seconds: &Number) -> Result<i64, Rejection> {
    // Far beyond every calendar, and still exact as a float: only the fraction of a second may be lost.
    const LARGEST: f64 = 1e15;
    if let Some(seconds) = seconds.as_i64() {
        return Ok(seconds.saturating_mul(1_000));
    }
    let fraction = seconds
        .as_f64()
        .filter(|seconds| (0.0..LARGEST).contains(seconds))
        .ok_or(Rejection::Malformed)?;
    i64::try_from(std::time::Duration::from_secs_f64(fraction).as_millis()).map_err(|_| Rejection::Malformed)
}

/// Claims are read only once the signature is verified. Then its holder may learn what is wrong with them.
fn rejection(kind: &ErrorKind) -> Rejection {
    match kind {
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => Rejection::MissingClaim("iss"),
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => Rejection::MissingClaim("aud"),
        ErrorKind::Json(_)
        | ErrorKind::MissingRequiredClaim(_)
        | ErrorKind::InvalidClaimFormat(_)
        | ErrorKind::InvalidToken => Rejection::Malformed,
        _ => Rejection::Refused,
    }
}

/// The text of an API key, `lb_<prefix>_<secret>`. The prefix finds the key and is public. Of the rest only a hash is stored.
pub(super) struct KeyText(String);

impl KeyText {
    /// Whether a credential is intended as an API key: JWTs begin with the base64 of a brace.
    pub(super) fn is_meant(credential: &str) -> bool {
        credential.starts_with(KEY_START)
    }

    /// Generates a new key.
    pub(super) fn generate() -> Result<Self, Fault> {
        let mut random = [0; PREFIX_BYTES + SECRET_BYTES];
        getrandom::fill(&mut random).map_err(|error| Fault::Internal(format!("no randomness: {error}")))?;
        let (prefix, secret) = random.split_at(PREFIX_BYTES);
        Ok(Self(format!(
            "{KEY_START}{}_{}",
            BASE32_DNSSEC.encode(prefix),
            BASE32_DNSSEC.encode(secret)
        )))
    }

    /// Parses a key from a caller's text.
    pub(super) fn parse(credential: &str) -> Result<Self, Rejection> {
        let is_base32 = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v'));
        credential
            .strip_prefix(KEY_START)
            .and_then(|rest| rest.split_once('_'))
            .filter(|(prefix, secret)| {
                prefix.len() == PREFIX_CHARS && secret.len() == SECRET_CHARS && is_base32(prefix) && is_base32(secret)
            })
            .map(|_| Self(credential.to_owned()))
            .ok_or(Rejection::Malformed)
    }

    /// The public part, by which the key is found.
    pub(super) fn prefix(&self) -> &str {
        &self.0[KEY_START.len()..KEY_START.len() + PREFIX_CHARS]
    }

    /// The stored hash of the key. Its secret has 256 random bits, so no slow hash is needed.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// Whether `hash` is the hash of this key, in constant time.
    pub(super) fn matches(&self, hash: &[u8]) -> bool {
        self.hash().ct_eq(hash).into()
    }

    /// Returns the full text, to be shown once.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_their_text_and_nothing_else_does() {
        let key = KeyText::generate().expect("random");
        let text = key.0.clone();
        let back = KeyText::parse(&text).expect("its own text");
        assert_eq!(back.prefix(), key.prefix());
        assert!(back.matches(&key.hash()));
        assert!(!back.matches(&KeyText::generate().expect("random").hash()));
        assert!(!back.matches(&[]));
        for other in [
            "lb_",
            "lb__",
            &text[1..],
            &text[..text.len() - 1],
            &text.to_uppercase(),
            &format!("{text}a"),
        ] {
            assert!(KeyText::parse(other).is_err(), "{other}");
        }
    }

    #[test]
    fn times_may_have_fractions_but_must_be_times() {
        let number = |text: &str| serde_json::from_str::<serde_json::Number>(text).expect("number");
        assert_eq!(millis(&number("12")), Ok(12_000));
        assert_eq!(millis(&number("12.5")), Ok(12_500));
        assert_eq!(millis(&number("9223372036854775807")), Ok(i64::MAX));
        for odd in ["-1.5", "1e300", "18446744073709551615"] {
            assert_eq!(millis(&number(odd)), Err(Rejection::Malformed), "{odd}");
        }
    }
}
