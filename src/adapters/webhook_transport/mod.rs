//! Requests to webhook endpoints.
//!
//! A customer chooses the URL, so this is where a customer could make the server call systems of the operator's own network. A name is
//! resolved here once for each connection. Addresses that are not public are left out (`guard`), and the connection goes to one of the
//! rest: a name that resolves to another address later changes nothing. Redirects are not followed, proxies of the environment are not
//! used, and the body of a response is not read.

mod guard;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Url, redirect};
use serde::Deserialize;
use tracing::Instrument as _;

use crate::domain::webhook_endpoint::model::WebhookFailure;
use crate::domain::webhook_endpoint::{Answer, Posting, Request, Transport};
use crate::primitives::clock::{SECOND, Timestamp};
use crate::primitives::network::networks;
use crate::primitives::trace;

use guard::Guard;

/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);
/// Idle connections that are kept for each host.
const MOST_IDLE: usize = 2;

/// Which endpoints may be called, and for how long.
#[derive(Clone, Debug, Deserialize)]
pub struct WebhookEndpointSettings {
    /// Whether URLs may begin with `http://`.
    pub allow_http: bool,
    /// Internal networks whose addresses may be called.
    #[serde(deserialize_with = "networks")]
    pub allowed_networks: Vec<IpNet>,
    /// The time limit of one request.
    #[serde(rename = "timeout_ms")]
    pub timeout: Duration,
}

/// Makes the requests.
#[derive(Clone, Debug)]
pub struct WebhookTransport {
    client: Client,
    guard: Guard,
    allows_http: bool,
    time_limit: Duration,
}

/// Why a name leads to no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum NoAddress {
    #[error("the name has no address")]
    NotResolved,
    #[error("the name has only internal addresses")]
    NotAllowed,
}

impl WebhookTransport {
    /// Creates the client with these settings.
    ///
    /// # Errors
    /// If the HTTP client cannot be created.
    pub fn new(settings: &WebhookEndpointSettings) -> Result<Self, reqwest::Error> {
        let guard = Guard::new(settings.allowed_networks.clone());
        let client = Client::builder()
            .timeout(settings.timeout)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .https_only(!settings.allow_http)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MOST_IDLE)
            .dns_resolver(Arc::new(Names(guard.clone())))
            .user_agent(concat!("ledgerbell/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            guard,
            allows_http: settings.allow_http,
            time_limit: settings.timeout,
        })
    }

    /// Returns whether the host of a URL is an address that is not called. Such a host is not resolved, so the resolver does not see it.
    fn is_refused_address(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.parse().is_ok_and(|address| !self.guard.allows(address))
    }

    async fn send(&self, request: Request<'_>) -> Result<Answer, WebhookFailure> {
        let url: Url = request.url.parse().map_err(|_| WebhookFailure::NameNotResolved)?;
        if self.is_refused_address(&url) {
            return Err(WebhookFailure::AddressNotAllowed);
        }
        let posted = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", request.id)
            .header("webhook-timestamp", (request.at.millis() / SECOND).to_string())
            .header("webhook-signature", request.signature)
            .body(request.body.to_owned());
        // Customers get no `traceparent`: it would make them record traces that only the operator can read. `webhook-id` identifies the
        // message.
        let span = trace::webhook();
        let answer = posted.send().instrument(span.clone()).await;
        match &answer {
            Ok(response) => trace::responded(&span, response.status().as_u16(), !response.status().is_success()),
            Err(error) => trace::failed(&span, failure_of(error).as_str()),
        }
        let response = answer.map_err(|error| {
            let failure = failure_of(&error);
            tracing::debug!(message = request.id, error = %error.without_url(), "a webhook message was not sent");
            failure
        })?;
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after: retry_after(response.headers(), request.at),
        })
    }
}

impl Transport for WebhookTransport {
    fn flaw(&self, url: &str) -> Option<String> {
        let Ok(url) = url.parse::<Url>() else {
            return Some("must be a URL such as https://example.com/webhooks".to_owned());
        };
        if !(url.scheme() == "https" || url.scheme() == "http" && self.allows_http) {
            return Some("must begin with https://".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Some("must not contain a user name or a password".to_owned());
        }
        if url.fragment().is_some() {
            return Some("must not contain a fragment (#)".to_owned());
        }
        let is_refused = self.is_refused_address(&url);
        is_refused.then(|| "must not be an internal address: messages go to public addresses only".to_owned())
    }

    fn time_limit(&self) -> Duration {
        self.time_limit
    }

    fn post<'a>(&'a self, request: Request<'a>) -> Posting<'a> {
        Box::pin(self.send(request))
    }
}

/// Resolves names, and returns their public addresses alone.
#[derive(Clone, Debug)]
struct Names(Guard);

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found.map_err(|_| NoAddress::NotResolved)?.collect();
            if found.is_empty() {
                return Err(NoAddress::NotResolved.into());
            }
            let allowed: Vec<SocketAddr> = found.into_iter().filter(|found| guard.allows(found.ip())).collect();
            if allowed.is_empty() {
                return Err(NoAddress::NotAllowed.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn failure_of(error: &reqwest::Error) -> WebhookFailure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<NoAddress>() {
            Some(NoAddress::NotResolved) => return WebhookFailure::NameNotResolved,
            Some(NoAddress::NotAllowed) => return WebhookFailure::AddressNotAllowed,
            None => cause = error.source(),
        }
    }
    if error.is_timeout() {
        WebhookFailure::TimedOut
    } else if error.is_connect() {
        WebhookFailure::NotConnected
    } else {
        WebhookFailure::Interrupted
    }
}

/// Reads `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(i64::from(seconds) * SECOND);
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some(date.timestamp_millis().saturating_sub(now.millis()).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport(allow_http: bool, allowed: &[&str]) -> WebhookTransport {
        let settings = WebhookEndpointSettings {
            allow_http,
            allowed_networks: allowed.iter().map(|text| text.parse().expect("a network")).collect(),
            timeout: Duration::from_secs(5),
        };
        WebhookTransport::new(&settings).expect("a client")
    }

    #[test]
    fn a_url_is_public_and_encrypted() {
        let strict = transport(false, &[]);
        for url in [
            "https://example.com/hooks",
            "https://example.com:8443/?a=b",
            "https://93.184.216.34/",
        ] {
            assert_eq!(strict.flaw(url), None, "{url}");
        }
        for url in [
            "example.com",
            "ftp://example.com",
            "http://example.com",
            "https://user:secret@example.com",
            "https://example.com/#part",
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
        ] {
            assert!(strict.flaw(url).is_some(), "{url}");
        }
        let loose = transport(true, &["127.0.0.0/8"]);
        assert_eq!(loose.flaw("http://127.0.0.1:9/"), None);
        assert!(loose.flaw("http://10.0.0.1/").is_some());
    }

    #[tokio::test]
    async fn a_name_of_an_internal_address_is_not_called() {
        let request = Request {
            url: "http://localhost:9/",
            id: "msg_1",
            at: Timestamp::from_millis(0),
            signature: "v1,x",
            body: "{}",
        };
        let refused = transport(true, &[]).post(request).await;
        assert_eq!(refused, Err(WebhookFailure::AddressNotAllowed));
        let unknown = Request {
            url: "http://does-not-exist.invalid/",
            ..request
        };
        let refused = transport(true, &[]).post(unknown).await;
        assert_eq!(refused, Err(WebhookFailure::NameNotResolved));
        // Nothing listens at this port.
        let called = transport(true, &["127.0.0.0/8", "::1/128"]).post(request).await;
        assert_eq!(called, Err(WebhookFailure::NotConnected));
    }

    #[test]
    fn a_pause_is_seconds_or_a_date() {
        let now = Timestamp::from_millis(1_445_412_420_000);
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().expect("a value"));
            retry_after(&headers, now)
        };
        assert_eq!(read("120"), Some(120_000));
        assert_eq!(read("Wed, 21 Oct 2015 07:28:00 GMT"), Some(60_000));
        assert_eq!(read("Wed, 21 Oct 2014 07:28:00 GMT"), None, "no such weekday");
        assert_eq!(read("Tue, 21 Oct 2014 07:28:00 GMT"), Some(0));
        for text in ["soon", "-5", "99999999999999999999"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
