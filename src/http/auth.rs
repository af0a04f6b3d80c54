//! From the `Authorization` header to a caller.

use axum::http::{HeaderMap, header};

use crate::domain::fault::Fault;
use crate::domain::member::{SignIn, SignInError};
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
    let credential = header.to_str().ok().and_then(|header| header.split_once(' '));
    let credential = credential.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, credential)) = credential else {
        let message = "send `Authorization: Bearer <token or API key>`";
        return Err(Refused::Unauthenticated(message.to_owned()));
    };
    self::sign_in(credential.trim(), sign_in).await.map(Some)
}

/// The caller that a token or an API key signs in.
pub(super) async fn sign_in(credential: &str, sign_in: &SignIn) -> Result<Caller, Refused> {
    match sign_in.authenticate(credential).await {
        Ok(signed_in) => Ok(Caller {
            actor: signed_in.actor,
            expires_at: signed_in.expires_at,
        }),
        Err(SignInError::Unauthenticated(rejection)) => {
            tracing::info!(%rejection, "a sign-in was refused");
            Err(Refused::Unauthenticated(rejection.to_string()))
        }
        Err(SignInError::Fault(fault)) => Err(Refused::Fault(fault)),
    }
}
