//! From the `Authorization` header to a caller.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::domain::fault::Fault;
use crate::domain::member::{Rejection, SignIn, SignInError};
use crate::graphql::Caller;

/// Credentials were given and do not sign anybody in.
#[derive(Debug)]
pub(super) enum Refused {
    /// What is wrong with them, for people.
    Unauthenticated(String),
    /// They could not be looked at.
    Fault(Fault),
}

/// The caller that the headers sign in; `None` when they do not try.
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

/// Notes a refusal in the log, with what the caller is told only in development.
async fn refused(credential: &str, rejection: Rejection, sign_in: &SignIn) -> Refused {
    let doubt = match rejection {
        Rejection::Refused => sign_in.doubt(credential).await.ok().flatten(),
        _ => None,
    };
    let Some(doubt) = doubt else {
        tracing::info!(%rejection, "a sign-in was refused");
        return Refused::Unauthenticated(rejection.to_string());
    };
    tracing::info!(%doubt, "a sign-in was refused");
    if sign_in.explains() {
        return Refused::Unauthenticated(format!("{rejection}: {doubt} (told in development only)"));
    }
    Refused::Unauthenticated(rejection.to_string())
}

/// The token or API key in the `Authorization` header, if there is one.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION).and_then(credential_in)
}

fn credential_in(header: &HeaderValue) -> Option<&str> {
    let (scheme, credential) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
}

/// The caller that a token or an API key signs in.
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
