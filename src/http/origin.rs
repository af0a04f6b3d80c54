//! Decides which web pages may call from a browser and open a socket. Browsers let any page try, and name its origin only in
//! `Origin`.

use axum::http::{HeaderMap, header};

/// The origins of pages that may call.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    /// Such as `https://app.example.com`, `https://*.example.com` or `capacitor://localhost`, in lower case.
    allowed: Vec<String>,
    /// Whether pages of this machine may call, on any port: development servers use many ports.
    allows_local: bool,
}

impl Origins {
    /// Creates the list of these origins, and of those of this machine if they are allowed.
    pub(super) fn new(allowed: &[String], allows_local: bool) -> Self {
        let plain = |origin: &String| origin.trim_end_matches('/').to_ascii_lowercase();
        Self {
            allowed: allowed.iter().map(plain).collect(),
            allows_local,
        }
    }

    /// Returns whether no page of another origin may call.
    pub(super) fn is_empty(&self) -> bool {
        self.allowed.is_empty() && !self.allows_local
    }

    /// Returns whether pages of this origin may call.
    pub(super) fn allows(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.allowed.iter().any(|allowed| matches(allowed, &origin)) || (self.allows_local && is_local(&origin))
    }

    /// Returns whether a client may open a socket: the server's own page, a page of an allowed origin, or no page at all. Browsers
    /// always send `Origin`, so a client without it is no page.
    pub(super) fn may_connect(&self, headers: &HeaderMap, public_url: Option<&str>) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return true;
        };
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let is_ours = || {
            if let Some(url) = public_url {
                return origin.eq_ignore_ascii_case(origin_of(url));
            }
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            host.is_some() && page_of(origin) == host
        };
        origins.next().is_none() && (self.allows(origin) || is_ours())
    }
}

/// Returns whether an origin equals `allowed`, or is a subdomain where the allowed host begins with `*.`.
fn matches(allowed: &str, origin: &str) -> bool {
    let Some((scheme, domain)) = allowed.split_once("://*.") else {
        return allowed == origin;
    };
    let host = origin.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
    let subdomain = host.and_then(|host| host.strip_suffix(domain)?.strip_suffix('.'));
    let is_label = |label: &str| {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(is_of_name)
    };
    subdomain.is_some_and(|subdomain| subdomain.split('.').all(is_label))
}

/// Returns whether this machine serves the origin, on any port.
fn is_local(origin: &str) -> bool {
    page_of(origin).is_some_and(host_is_local)
}

/// Returns whether a host, with or without a port, is a local name that every machine has for itself.
pub(super) fn host_is_local(host_and_port: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| {
        host_and_port.strip_prefix(host).is_some_and(|port| {
            let digits = port.strip_prefix(':');
            port.is_empty()
                || digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        })
    })
}

/// Returns the host and port of a web page's origin.
fn page_of(origin: &str) -> Option<&str> {
    origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))
}

/// Returns the scheme, host and port of a URL.
pub(super) fn origin_of(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..].find('/').map_or(url.len(), |at| after_scheme + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn origins(allowed: &[&str]) -> Origins {
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        Origins::new(&allowed, false)
    }

    fn may(origin: &'static str, public_url: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("api.example:8080"));
        headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        origins(&["https://app.example"]).may_connect(&headers, public_url)
    }

    #[test]
    fn only_exact_origins_may() {
        assert!(origins(&[]).may_connect(&HeaderMap::new(), None));
        for origin in ["https://app.example", "https://APP.example", "http://api.example:8080"] {
            assert!(may(origin, None), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://app.example",
            "https://app.example.evil.example",
            "https://evil.example/https://app.example",
            "https://app.example:444",
            "http://api.example",
            "file://api.example:8080",
            "http://localhost:5173",
        ] {
            assert!(!may(origin, None), "{origin}");
        }
        assert!(may("https://api.example", Some("https://api.example/ledger")));
        assert!(!may("http://api.example:8080", Some("https://api.example")));
    }

    #[test]
    fn subdomains_and_apps_may_where_they_are_allowed() {
        let origins = origins(&[
            "https://*.app.example",
            "https://*.ports.example:8443",
            "capacitor://localhost",
        ]);
        for origin in [
            "https://a.app.example",
            "https://A.b-2.app.example",
            "https://x.ports.example:8443",
            "capacitor://localhost",
        ] {
            assert!(origins.allows(origin), "{origin}");
        }
        for origin in [
            "https://app.example",
            "https://.app.example",
            "https://evilapp.example",
            "https://evil.example/.app.example",
            "https://evil.example:1.app.example",
            "https://user@a.app.example",
            "http://a.app.example",
            "https://a.app.example:8443",
            "https://x.ports.example",
            "capacitor://localhost.evil.example",
            "ionic://localhost",
        ] {
            assert!(!origins.allows(origin), "{origin}");
        }
    }

    #[test]
    fn pages_of_this_machine_may_in_development() {
        let origins = Origins::new(&[], true);
        for origin in [
            "http://localhost:5173",
            "https://LOCALHOST",
            "http://127.0.0.1:3000",
            "http://[::1]:8081",
        ] {
            assert!(origins.allows(origin), "{origin}");
        }
        for origin in [
            "http://localhost.evil.example",
            "http://localhost:5173.evil.example",
            "http://localhost:",
            "http://127.0.0.10",
            "file://localhost",
            "null",
        ] {
            assert!(!origins.allows(origin), "{origin}");
        }
    }
}
