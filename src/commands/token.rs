//! `ledgerbell token`: signs somebody in while no application does it yet.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use crate::config::{AuthSettings, Mode, Settings};
use crate::primitives::clock::{Clock, Timestamp};

use super::{Ending, Failure, say};

/// Print a token that signs a member in. In development only.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// The account's id.
    #[arg(long, value_name = "ID")]
    account: String,
    /// The member's id or external id.
    #[arg(long, value_name = "ID")]
    member: String,
    /// How long it holds, such as 30m, 12h or 7d.
    #[arg(long, value_name = "DURATION", default_value = "12h", value_parser = duration)]
    ttl: Duration,
}

/// What a token says: see `SignIn`, which reads it.
#[derive(serde::Serialize)]
struct Claims<'a> {
    sub: &'a str,
    acct: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

pub(super) fn run(command: &Token, settings: &Settings) -> Ending {
    if settings.mode != Mode::Development {
        return Err(
            "tokens are made here in development only (--mode development); your application makes those of production"
                .into(),
        );
    }
    let now = Clock::system().now();
    say(&sign(
        &settings.auth,
        &command.account,
        &command.member,
        now,
        command.ttl,
    )?)?;
    Ok(ExitCode::SUCCESS)
}

/// A token for `member` of `account` that holds for `ttl` from `now` on.
pub(super) fn sign(
    auth: &AuthSettings,
    account: &str,
    member: &str,
    now: Timestamp,
    ttl: Duration,
) -> Result<String, Failure> {
    let secret = auth
        .jwt_secret
        .as_ref()
        .ok_or("there is no auth.jwt_secret to sign with: members sign in by auth.jwks_url")?;
    let issued_at = now.millis() / 1_000;
    let claims = Claims {
        sub: member,
        acct: account,
        iat: issued_at,
        exp: issued_at.saturating_add(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX)),
        iss: auth.issuer.as_deref(),
        aud: auth.audience.as_deref(),
    };
    let key = EncodingKey::from_secret(secret.reveal().as_bytes());
    Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)?)
}

/// Reads `90s`, `30m`, `12h`, `7d`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a number and a unit: 90s, 30m, 12h or 7d".to_owned();
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let seconds_each: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = number
        .checked_mul(seconds_each)
        .filter(|seconds| (1..=31_536_000).contains(seconds));
    Ok(Duration::from_secs(seconds.ok_or("must be from 1 second to 365 days")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_or_refused() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2d"), Ok(Duration::from_hours(48)));
        for text in [
            "",
            "h",
            "12",
            "1.5h",
            "-1h",
            "0s",
            "366d",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
