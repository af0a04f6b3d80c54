//! Finds the caller that the `Authorization` header names.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::domain::fault::Fault;
use crate::domain::member::{Rejection, SignIn, SignInError};
use crate::graphql::Caller;

/// Why given credentials do not sign in a caller.
#[derive(Debug)]
pub(super) enum Refused {
    /// The credentials are not valid. Contains a human-readable reason.
    Unauthenticated(String),
    /// The credentials could not be checked.
    Fault(Fault),
}

/// Returns the caller that the headers sign in; `None` if they contain no credentials.
pub(super) async fn caller(headers: &HeaderMap, sign_in: &SignIn) -> Result<Option<Caller>, Refused> {
    let Some(header) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let Some(credential) = credential_in(header) else {
        let message = "send `Authorization: Bearer <token or API key>`";
        return Err(Refused::Unauthenticated(message.to_owned()));
    };
    self::sign_in(credential, sign_in).await.map(Some)
}

/// Logs a refusal. The client gets the details only in development.
async fn refused(credential: &str, rejection: Rejection, sign_in: &SignIn) -> Refused {
    let failure = match rejection {
        Rejection::Refused => sign_in.failure(credential).await.ok().flatten(),
        _ => None,
    };
    let Some(failure) = failure else {
        tracing::info!(%rejection, "a sign-in was refused");
        return Refused::Unauthenticated(rejection.to_string());
    };
    tracing::info!(%failure, "a sign-in was refused");
    if sign_in.explains() {
        return Refused::Unauthenticated(format!("{rejection}: {failure} (told in development only)"));
    }
    Refused::Unauthenticated(rejection.to_string())
}

/// Returns the token or API key in the `Authorization` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION).and_then(credential_in)
}

fn credential_in(header: &HeaderValue) -> Option<&str> {
    let (scheme, credential) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
}

/// Returns the caller that a token or an API key signs in.
pub(super) async fn sign_in(credential: &str, sign_in: &SignIn) -> Result<Caller, Refused> {
    match sign_in.authenticate(credential).await {
        Ok(signed_in) => Ok(Caller {
            actor: signed_in.actor,
            expires_at: signed_in.expires_at,
            language: None,
        }),
        Err(SignInError::Unauthenticated(rejection)) => Err(refused(credential, rejection, sign_in).await),
        Err(SignInError::Fault(fault)) => Err(Refused::Fault(fault)),
    }
}
