//! Built pages: the console at `/` and the explorer at `/graphiql`.
//!
//! A build names everything below `assets/` after its content, so browsers keep that for ever; the rest they ask for again by its `ETag`.
//! Builds lay packed files beside the plain ones. A name that is not plain is looked for nowhere, so none leads out of a build.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Json, Response};
use sha2::{Digest, Sha256};

use super::media::{Range, best};
use super::origin::origin_of;
use super::{SharedDoor, no_such_path};

/// The files of a build by name, with slashes between folders. Names are plain: see [`is_plain`].
pub type Files = Arc<dyn Fn(&str) -> Option<Cow<'static, [u8]>> + Send + Sync>;

/// The pages that are served.
#[derive(Clone, Default)]
pub struct Pages {
    /// At `/`, where it is served.
    pub console: Option<Site>,
    /// At `/graphiql`, and at `/graphql` for browsers, where it is served.
    pub explorer: Option<Site>,
}

/// One build, and what browsers let its pages do.
#[derive(Clone)]
pub struct Site {
    files: Files,
    policy: HeaderValue,
}

/// What the pages of every build may do: run and show their own files, and talk to this server.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; script-src 'self'; \
                      worker-src 'self'; manifest-src 'self'; img-src 'self' data:; font-src 'self' data:";

impl Site {
    /// The console. It may also talk to the issuer of its sign-ins, a URL.
    pub fn console(files: Files, issuer: Option<&str>) -> Self {
        let issuer = issuer.map(|url| format!(" {}", origin_of(url))).unwrap_or_default();
        let policy = format!("{POLICY}; style-src 'self'; connect-src 'self'{issuer}");
        Self {
            files,
            // An origin of a URL has visible characters alone; with any other the console would not sign in, and loads nothing else.
            policy: HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(POLICY)),
        }
    }

    /// The explorer. Its editor writes style sheets into the page as it goes.
    pub fn explorer(files: Files) -> Self {
        let policy = format!("{POLICY}; style-src 'self' 'unsafe-inline'; connect-src 'self'");
        Self {
            files,
            policy: HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(POLICY)),
        }
    }

    /// Whether it has been built.
    pub fn is_built(&self) -> bool {
        (self.files)(INDEX).is_some()
    }

    /// Its page, or how it is built.
    fn page(&self, headers: &HeaderMap) -> Response {
        self.file(INDEX, headers)
            .unwrap_or_else(|| Html(NOT_BUILT).into_response())
    }

    /// A file, as the client takes it.
    fn file(&self, name: &str, headers: &HeaderMap) -> Option<Response> {
        let is_packed = PACKED.iter().any(|(_, suffix)| name.ends_with(suffix));
        if !is_plain(name) || is_packed {
            return None;
        }
        let content_type = content_type(name)?;
        let (encoding, bytes) = self
            .packed(name, headers)
            .or_else(|| Some((None, (self.files)(name)?)))?;
        let mut response = Self::answer(name, &bytes, headers);
        let head = response.headers_mut();
        head.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        head.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        head.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        if let Some(encoding) = encoding {
            head.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        for (name, value) in OF_PAGES {
            head.insert(name, HeaderValue::from_static(value));
        }
        if response.status() == StatusCode::OK {
            *response.body_mut() = Body::from(bytes.into_owned());
        }
        Some(response)
    }

    /// The packed file that the client likes best, where there is one.
    fn packed(&self, name: &str, headers: &HeaderMap) -> Option<(Option<&'static str>, Cow<'static, [u8]>)> {
        let ranges = Range::all(headers, &header::ACCEPT_ENCODING);
        let liked = |encoding: &str| ranges.iter().any(|range| range.name == encoding && range.quality > 0);
        PACKED
            .iter()
            .filter(|(encoding, _)| liked(encoding))
            .find_map(|(encoding, suffix)| {
                let bytes = (self.files)(&format!("{name}{suffix}"))?;
                Some((Some(*encoding), bytes))
            })
    }

    /// Status and headers by which browsers keep what they have.
    fn answer(name: &str, bytes: &[u8], headers: &HeaderMap) -> Response {
        let mut response = StatusCode::OK.into_response();
        let head = response.headers_mut();
        if name.starts_with(KEPT) {
            let for_ever = HeaderValue::from_static("public, max-age=31536000, immutable");
            head.insert(header::CACHE_CONTROL, for_ever);
            return response;
        }
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)[..16]);
        let tag = format!("\"{digest}\"");
        let has_it = headers
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|given| given.trim().trim_start_matches("W/") == tag || given.trim() == "*");
        head.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(tag) = HeaderValue::try_from(tag) {
            head.insert(header::ETAG, tag);
        }
        if has_it {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        response
    }
}

const INDEX: &str = "index.html";
/// What is below this is named after its content.
const KEPT: &str = "assets/";
/// How files are packed, the smallest first, and what their names then end with.
const PACKED: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];
/// Beside the headers of every response.
const OF_PAGES: [(HeaderName, &str); 4] = [
    // Not "no-referrer": with that, browsers may say "null" for the origin of what a page sends.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Ledgerbell</title>\
<h1>Ledgerbell is running</h1><p>The API is at <code>/graphql</code>. This page has not been built. It needs Node.js 20 with npm:</p>\
<pre>cd web\nnpm ci\nnpm run build</pre><p>Then load this page again. A release build has to be built again: <code>cargo build --release</code>.</p></html>";

/// Whether a name consists of names of files and folders, none of which is hidden or leads upwards.
fn is_plain(name: &str) -> bool {
    let may_have = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let mut parts = name.split('/');
    parts.all(|part| !part.is_empty() && !part.starts_with('.') && part.bytes().all(may_have))
}

/// What a file is, by the end of its name. Files of other types are no part of a page.
fn content_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/vnd.microsoft.icon",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        _ => return None,
    })
}

/// Whether a client likes a page better than JSON.
fn wants_page(headers: &HeaderMap) -> bool {
    let chosen = best(&Range::all(headers, &header::ACCEPT), |name| match name {
        "text/html" => Some(true),
        "*/*" | "application/*" | "application/json" | "application/graphql-response+json" => Some(false),
        _ => None,
    });
    chosen == Some(true)
}

/// The page of the explorer for a browser that opens the address of the API, where it is served.
pub(super) fn in_place_of_graphql(pages: &Pages, headers: &HeaderMap) -> Option<Response> {
    let explorer = pages.explorer.as_ref()?;
    wants_page(headers).then(|| explorer.page(headers))
}

/// The console for browsers, and for programs what this is.
pub(super) async fn welcome(State(door): State<SharedDoor>, headers: HeaderMap) -> Response {
    if let Some(console) = &door.settings.pages.console
        && wants_page(&headers)
    {
        return console.page(&headers);
    }
    let welcome = Json(serde_json::json!({
        "name": "ledgerbell",
        "version": env!("CARGO_PKG_VERSION"),
        "graphql": "/graphql",
        "health": "/health/ready",
    }));
    ([(header::VARY, "Accept")], welcome).into_response()
}

/// The explorer's page and its files.
pub(super) async fn explorer(State(door): State<SharedDoor>, request: Request) -> Response {
    let Some(explorer) = &door.settings.pages.explorer else {
        return no_such_path().await;
    };
    let path = request.uri().path();
    match path.strip_prefix("/graphiql").unwrap_or(path).trim_start_matches('/') {
        "" => explorer.page(request.headers()),
        name => match explorer.file(name, request.headers()) {
            Some(file) => file,
            None => no_such_path().await,
        },
    }
}

/// The console's files, at paths that are nothing else.
pub(super) async fn fallback(State(door): State<SharedDoor>, request: Request) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let name = request.uri().path().trim_start_matches('/');
    let console = door.settings.pages.console.as_ref().filter(|_| is_read);
    match console.and_then(|console| console.file(name, request.headers())) {
        Some(file) => file,
        None => no_such_path().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_not_plain() {
        for name in ["index.html", "assets/index-B2_x.js", "a/b/c.svg"] {
            assert!(is_plain(name), "{name}");
        }
        for name in [
            "",
            "/etc/passwd",
            "../Cargo.toml",
            "assets/../../Cargo.toml",
            "assets//x.js",
            "assets/",
            ".git/config",
            "assets/.hidden.js",
            "%2e%2e/Cargo.toml",
            "assets\\x.js",
            "C:x.js",
            "a\0.js",
        ] {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn browsers_get_pages_and_programs_get_json() {
        let wants = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            wants_page(&headers)
        };
        assert!(wants("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(wants("text/html"));
        for accept in [
            "*/*",
            "application/json",
            "application/json, text/html;q=0.5",
            "text/html;q=0",
            "image/png",
        ] {
            assert!(!wants(accept), "{accept}");
        }
        assert!(!wants_page(&HeaderMap::new()));
    }
}
