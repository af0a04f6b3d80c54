//! Serves the built pages: the console at `/` and the explorer at `/graphiql`.
//!
//! The name of every file below `assets/` contains a hash of its content, so browsers cache it permanently. They revalidate other files
//! by `ETag`. Builds contain each file also compressed. The executable has only those, and unpacks one for the rare client that accepts
//! no compression. Names that are not plain are refused, so that no name leads out of a build.

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Json, Response};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use super::media::{Range, best};
use super::origin::origin_of;
use super::{SharedHttpState, no_such_path};

/// The files of a build by name, with slashes between folders. Names are plain: see [`is_plain`].
pub type Files = Arc<dyn Fn(&str) -> Option<Cow<'static, [u8]>> + Send + Sync>;

/// The pages that are served.
#[derive(Clone, Default)]
pub struct Pages {
    /// The console, at `/`; `None` if it is not served.
    pub console: Option<Site>,
    /// The explorer, at `/graphiql`, and at `/graphql` for browsers; `None` if it is not served.
    pub explorer: Option<Site>,
}

/// One build, and what browsers allow its pages.
#[derive(Clone)]
pub struct Site {
    files: Files,
    policy: HeaderValue,
}

/// The policy for the pages of every build: run and show their own files, and connect to this server.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; script-src 'self'; \
                      worker-src 'self'; manifest-src 'self'; img-src 'self' data:; font-src 'self' data:";

impl Site {
    /// Creates the console. It may also connect to the issuer of its sign-ins, a URL.
    pub fn console(files: Files, issuer: Option<&str>) -> Self {
        let issuer = issuer.map(|url| format!(" {}", origin_of(url))).unwrap_or_default();
        let policy = format!("{POLICY}; style-src 'self'; connect-src 'self'{issuer}");
        Self {
            files,
            // A valid origin has only visible characters. With an invalid one the console cannot sign in, and connects to no other
            // host.
            policy: HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(POLICY)),
        }
    }

    /// Creates the explorer. Its editor adds style sheets to the page at run time.
    pub fn explorer(files: Files) -> Self {
        let policy = format!("{POLICY}; style-src 'self' 'unsafe-inline'; connect-src 'self'");
        Self {
            files,
            policy: HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(POLICY)),
        }
    }

    /// Returns whether the build exists.
    pub fn is_built(&self) -> bool {
        self.plain(INDEX).is_some()
    }

    /// Returns its page, or instructions for building it.
    fn page(&self, headers: &HeaderMap) -> Response {
        self.file(INDEX, headers)
            .unwrap_or_else(|| Html(NOT_BUILT).into_response())
    }

    /// Returns a file in an encoding that the client accepts.
    fn file(&self, name: &str, headers: &HeaderMap) -> Option<Response> {
        let is_packed = PACKED.iter().any(|(_, suffix)| name.ends_with(suffix));
        if !is_plain(name) || is_packed {
            return None;
        }
        let content_type = content_type(name)?;
        let (encoding, bytes) = self.packed(name, headers).or_else(|| Some((None, self.plain(name)?)))?;
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

    /// Returns the compressed file that the client prefers, if there is one.
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

    /// Returns a file without compression, unpacked if the build has it only compressed.
    fn plain(&self, name: &str) -> Option<Cow<'static, [u8]>> {
        (self.files)(name).or_else(|| {
            let packed = (self.files)(&format!("{name}.gz"))?;
            let mut bytes = Vec::new();
            GzDecoder::new(&*packed).read_to_end(&mut bytes).ok()?;
            Some(Cow::Owned(bytes))
        })
    }

    /// Returns a file with the headers for caching.
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
/// Files below this have a hash of their content in their name.
const KEPT: &str = "assets/";
/// The encodings of compressed files, the smallest first, and the ends of their names.
const PACKED: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];
/// Headers of pages, besides those of every response.
const OF_PAGES: [(HeaderName, &str); 4] = [
    // Not "no-referrer": with that, browsers may send "null" as the origin of a page's requests.
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

/// Returns whether a name consists of plain names of files and folders: none hidden, none leading upward.
fn is_plain(name: &str) -> bool {
    let may_have = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let mut parts = name.split('/');
    parts.all(|part| !part.is_empty() && !part.starts_with('.') && part.bytes().all(may_have))
}

/// Returns the content type for the extension of a name. Files of other types are not served.
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

/// Returns whether a client prefers a page to JSON.
fn wants_page(headers: &HeaderMap) -> bool {
    let chosen = best(&Range::all(headers, &header::ACCEPT), |name| match name {
        "text/html" => Some(true),
        "*/*" | "application/*" | "application/json" | "application/graphql-response+json" => Some(false),
        _ => None,
    });
    chosen == Some(true)
}

/// Returns the explorer's page for a browser that opens the address of the API, if it is served.
pub(super) fn in_place_of_graphql(pages: &Pages, headers: &HeaderMap) -> Option<Response> {
    let explorer = pages.explorer.as_ref()?;
    wants_page(headers).then(|| explorer.page(headers))
}

/// Returns the console to browsers, and a description of the service to programs.
pub(super) async fn welcome(State(state): State<SharedHttpState>, headers: HeaderMap) -> Response {
    if let Some(console) = &state.settings.pages.console
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

/// Serves the explorer's page and its files.
pub(super) async fn explorer(State(state): State<SharedHttpState>, request: Request) -> Response {
    let Some(explorer) = &state.settings.pages.explorer else {
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

/// Serves the console's files, at paths that no other route uses.
pub(super) async fn fallback(State(state): State<SharedHttpState>, request: Request) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let name = request.uri().path().trim_start_matches('/');
    let console = state.settings.pages.console.as_ref().filter(|_| is_read);
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
