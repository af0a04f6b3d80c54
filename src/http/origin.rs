//! Which web pages may open a socket. Browsers let any page try, and say only in `Origin` whose page it is.

use axum::http::{HeaderMap, header};

/// Whether the page that asks is one of ours, or of the origins that were allowed. No browser leaves `Origin` out, so that
/// whoever does is no page.
pub(super) fn may_connect(headers: &HeaderMap, allowed: &[String], public_url: Option<&str>) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let is_same = |other: &str| origin.eq_ignore_ascii_case(other.trim_end_matches('/'));
    let is_ours = || {
        if let Some(url) = public_url {
            return is_same(origin_of(url));
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let page = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        host.is_some() && page == host
    };
    origins.next().is_none() && (allowed.iter().any(|other| is_same(other)) || is_ours())
}

/// The scheme, host and port that a URL begins with.
fn origin_of(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..].find('/').map_or(url.len(), |at| after_scheme + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn may(origin: &'static str, public_url: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("api.example:8080"));
        headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        may_connect(&headers, &["https://app.example".to_owned()], public_url)
    }

    #[test]
    fn only_exact_origins_may() {
        assert!(may_connect(&HeaderMap::new(), &[], None));
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
        ] {
            assert!(!may(origin, None), "{origin}");
        }
        assert!(may("https://api.example", Some("https://api.example/ledger")));
        assert!(!may("http://api.example:8080", Some("https://api.example")));
    }
}
