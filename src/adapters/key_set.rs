//! Public keys of a token issuer, fetched from its JWKS address.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use reqwest::{Client, Url, redirect};

use crate::domain::fault::Fault;
use crate::domain::member::KeySetSource;

/// A request for sign-in may wait for this, so it is short.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A set of keys is a few kilobytes.
const MAX_BODY_BYTES: usize = 256 * 1_024;

/// The address gives no keys that could be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an https address, or an http one of this machine: {0}")]
pub struct InvalidKeySetUrl(String);

/// Keys from an address such as `https://issuer.example/.well-known/jwks.json`.
#[derive(Clone, Debug)]
pub struct HttpKeySet {
    client: Client,
    url: Url,
}

impl HttpKeySet {
    /// Whoever can change the answer can sign in as anybody, so plain http is for this machine alone.
    pub fn new(url: &str) -> Result<Self, InvalidKeySetUrl> {
        let url: Url = url.parse().map_err(|error| InvalidKeySetUrl(format!("{error}")))?;
        let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if !(url.scheme() == "https" || url.scheme() == "http" && is_local) {
            return Err(InvalidKeySetUrl(url.into()));
        }
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("ledgerbell/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| InvalidKeySetUrl(format!("{error}")))?;
        Ok(Self { client, url })
    }

    async fn get(&self) -> Result<String, Fault> {
        let unavailable = |error: reqwest::Error| Fault::Unavailable(format!("fetching the issuer's keys: {error}"));
        let mut response = self
            .client
            .get(self.url.clone())
            .send()
            .await
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
                return Err(Fault::Unavailable("the issuer's keys do not end".to_owned()));
            }
        }
        String::from_utf8(body).map_err(|_| Fault::Unavailable("the issuer's keys are no text".to_owned()))
    }
}

impl KeySetSource for HttpKeySet {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<String, Fault>> + Send + '_>> {
        Box::pin(self.get())
    }
}
