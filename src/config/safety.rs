//! Refuses combinations of settings that are dangerous where customers or other machines reach the server.

use super::{ConfigError, DEMO_SECRET, GatewayKind, Mode, Secret, Settings};

impl Settings {
    /// Returns the secret that links and codes are signed with. In production, refuses settings without it, or without a way for members
    /// to sign in. [`Self::load`] accepts them: commands that only read or migrate the database need no secret.
    pub fn secret(&self) -> Result<&Secret, ConfigError> {
        let Some(secret) = &self.secret else {
            return refuse_in_production(
                "setting secret (LEDGERBELL_SECRET) is missing: it must be a random text of at least 32 characters",
            );
        };
        if self.auth.jwt_secret.is_none() && self.auth.jwks_url.is_none() {
            return refuse_in_production(
                "sign-in is not possible: set auth.jwt_secret (LEDGERBELL_AUTH_JWT_SECRET) to a random text of at least 32 \
                 characters, or auth.jwks_url (LEDGERBELL_AUTH_JWKS_URL) to your issuer's key set",
            );
        }
        Ok(secret)
    }

    /// Refuses what must not serve customers: in production, a payment gateway that adds credits without money.
    pub fn check_for_serving(&self) -> Result<(), ConfigError> {
        let gateway = &self.gateway;
        if self.mode == Mode::Production && gateway.kind == GatewayKind::Simulated && !gateway.simulated_in_production {
            return Err(ConfigError::Together(
                "gateway.kind simulated adds credits without payment: in production, set it to stripe or none. (Or set \
                 gateway.simulated_in_production to true, for a rehearsal without real customers.)"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Returns why other machines must not reach this server; `None` if they may.
    pub fn danger_on_network(&self) -> Option<&'static str> {
        let secrets = [&self.auth.jwt_secret, &self.auth.jwt_secret_previous];
        let signs_in_anyone = secrets
            .into_iter()
            .flatten()
            .any(|secret| secret.reveal() == DEMO_SECRET);
        match self.mode {
            Mode::Production => None,
            Mode::Development if signs_in_anyone => Some(
                "anyone who reaches it can sign in as any member with the published demo secret, and buy credits without payment",
            ),
            Mode::Development => {
                Some("anyone who reaches it can sign in with a token of your issuer and buy credits without payment")
            }
        }
    }
}

/// Refuses a replica of a database that can have none.
pub(super) fn check_replica(database_url: &str, has_replica: bool) -> Result<(), ConfigError> {
    if has_replica && database_url.starts_with("sqlite:") {
        let text = "database.replica_url is for PostgreSQL; a SQLite database has no replica: remove it";
        return Err(ConfigError::Together(text.to_owned()));
    }
    Ok(())
}

/// Refuses the demo secret in production.
pub(super) fn check_demo_secret(mode: Mode, secrets: [&Option<Secret>; 2]) -> Result<(), ConfigError> {
    let is_demo = |secret: &Secret| secret.reveal() == DEMO_SECRET;
    if mode == Mode::Production && secrets.into_iter().flatten().any(is_demo) {
        return refuse_in_production(
            "the demo secret is published: set secret and auth.jwt_secret to your own random texts",
        );
    }
    Ok(())
}

fn refuse_in_production<T>(text: &str) -> Result<T, ConfigError> {
    Err(ConfigError::Together(format!(
        "{text}. (Or set mode to development, to try things out.)"
    )))
}

/// Refuses keys of an issuer if the issuer is not named.
pub(super) fn check_issuer(has_keys: bool, is_named: bool) -> Result<(), ConfigError> {
    if has_keys && !is_named {
        return Err(ConfigError::Together(
            "auth.jwks_url needs auth.issuer and auth.audience beside it, or tokens made for others would be accepted"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Refuses a previous secret without a current one, one equal to the current one, or, in production, the public demo secret.
pub(super) fn check_rotation(
    mode: Mode,
    current: Option<&Secret>,
    previous: Option<&Secret>,
) -> Result<(), ConfigError> {
    let Some(previous) = previous else {
        return Ok(());
    };
    let refuse = |text: &str| Err(ConfigError::Together(text.to_owned()));
    match current {
        None => refuse(
            "auth.jwt_secret_previous needs auth.jwt_secret beside it: the new secret is auth.jwt_secret, the old one auth.jwt_secret_previous",
        ),
        Some(current) if current == previous => refuse(
            "auth.jwt_secret_previous is the same as auth.jwt_secret: set auth.jwt_secret to the new secret, or remove auth.jwt_secret_previous",
        ),
        Some(_) if mode == Mode::Production && previous.reveal() == DEMO_SECRET => {
            refuse("auth.jwt_secret_previous is the demo secret, which is published: remove it")
        }
        Some(_) => Ok(()),
    }
}
