//! Public keys of a token issuer, fetched from its JWKS address.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use reqwest::{Client, Url, redirect};
use tracing::Instrument as _;

use super::is_this_machine;
use crate::domain::fault::Fault;
use crate::domain::member::KeySetSource;
use crate::primitives::trace;

/// The limit is short because a sign-in may wait for this request.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A key set has a few kilobytes.
const MAX_BODY_BYTES: usize = 256 * 1_024;

/// The address cannot supply keys that can be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an https address, or an http one of this machine: {0}")]
pub struct InvalidKeySetUrl(String);

/// Keys from an address such as `https://issuer.example/.well-known/jwks.json`.
#[derive(Clone, Debug)]
pub struct HttpKeySet {
    client: Client,
    url: Url,
    lifetime: Duration,
}

impl HttpKeySet {
    /// Fetches keys from this address. If it becomes unreachable, the last keys stay valid for `lifetime`. Plain HTTP is
    /// allowed only for this machine: an attacker who can change the response can sign in as any member.
    pub fn new(url: &str, lifetime: Duration) -> Result<Self, InvalidKeySetUrl> {
        let url: Url = url.parse().map_err(|error| InvalidKeySetUrl(format!("{error}")))?;
        let is_local = url.host_str().is_some_and(is_this_machine);
        if !(url.scheme() == "https" || url.scheme() == "http" && is_local) {
            return Err(InvalidKeySetUrl(url.into()));
        }
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("ledgerbell/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| InvalidKeySetUrl(format!("{error}")))?;
        Ok(Self { client, url, lifetime })
    }

    async fn get(&self) -> Result<String, Fault> {
        let unavailable = |error: reqwest::Error| Fault::Unavailable(format!("fetching the issuer's keys: {error}"));
        let span = trace::call("GET", self.url.host_str(), || "keys".to_owned());
        let answer = self.client.get(self.url.clone()).send().instrument(span.clone()).await;
        match &answer {
            Ok(response) => trace::responded(&span, response.status().as_u16(), !response.status().is_success()),
            Err(_) => trace::failed(&span, "_OTHER"),
        }
        let mut response = answer
            .and_then(reqwest::Response::error_for_status)
            .map_err(unavailable)?;
        if !response.status().is_success() {
            return Err(Fault::Unavailable(format!(
                "fetching the issuer's keys: status {}",
                response.status()
            )));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY_BYTES {
                return Err(Fault::Unavailable("the issuer's keys are too large".to_owned()));
            }
        }
        String::from_utf8(body).map_err(|_| Fault::Unavailable("the issuer's keys are not text".to_owned()))
    }
}

impl KeySetSource for HttpKeySet {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<String, Fault>> + Send + '_>> {
        Box::pin(self.get())
    }

    fn lifetime(&self) -> Duration {
        self.lifetime
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::response::Redirect;
    use axum::routing::get;
    use jsonwebtoken::Algorithm;
    use serde_json::json;

    use super::*;
    use crate::domain::member::SignInSettings;
    use crate::domain::member::tests::issuer::{Issuer, claims};
    use crate::domain::member::tests::{Room, actor};

    const LIFETIME: Duration = Duration::from_mins(30);

    async fn serve(router: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn members_sign_in_with_tokens_of_an_issuer() {
        let room = Room::open().await;
        let (_, owner) = room.team("one").await;
        let issuers = [
            Issuer::new(Algorithm::RS256, "rsa"),
            Issuer::new(Algorithm::ES256, "ec"),
            Issuer::new(Algorithm::EdDSA, "ed"),
        ];
        let set = json!({ "keys": issuers.iter().map(Issuer::jwk).collect::<Vec<_>>() }).to_string();
        let address = serve(Router::new().route("/jwks.json", get(|| async move { set }))).await;
        let sign_in = room.sign_in(SignInSettings {
            key_set: Some(Arc::new(
                HttpKeySet::new(&format!("{address}/jwks.json"), LIFETIME).expect("an address"),
            )),
            ..SignInSettings::default()
        });
        for issuer in issuers {
            let token = issuer.sign(&claims(&room.clock, "one", "one-owner"));
            let signed_in = sign_in.authenticate(&token).await.expect("signs in");
            assert_eq!(signed_in.actor, actor(&owner), "{:?}", issuer.algorithm);
        }
    }

    #[tokio::test]
    async fn answers_that_are_no_key_set_are_unavailable() {
        let router = Router::new()
            .route("/moved", get(|| async { Redirect::temporary("/keys") }))
            .route("/keys", get(|| async { "{}" }))
            .route("/endless", get(|| async { "x".repeat(MAX_BODY_BYTES + 1) }));
        let address = serve(router).await;
        for path in ["moved", "endless", "missing"] {
            let answer = HttpKeySet::new(&format!("{address}/{path}"), LIFETIME)
                .expect("an address")
                .get()
                .await;
            assert!(matches!(answer, Err(Fault::Unavailable(_))), "{path}: {answer:?}");
        }
        assert_eq!(
            HttpKeySet::new(&format!("{address}/keys"), LIFETIME)
                .expect("an address")
                .get()
                .await,
            Ok("{}".to_owned())
        );
    }

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for url in [
            "http://issuer.example/keys",
            "ftp://issuer.example",
            "file:///keys",
            "keys",
            "",
        ] {
            assert!(HttpKeySet::new(url, LIFETIME).is_err(), "{url}");
        }
        for url in [
            "https://issuer.example/keys",
            "http://127.0.0.1:1/keys",
            "http://[::1]:1/keys",
        ] {
            assert!(HttpKeySet::new(url, LIFETIME).is_ok(), "{url}");
        }
    }
}
