//! Built pages: what browsers may keep, what pages may do, and that nothing else of the disk is served.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};

use crate::harness::{Raw, TestApp};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const SCRIPT: &str = "console.log('as long as this is, it is worth packing');";

/// Builds of both pages, with a file beside them that is nobody's business.
struct Builds(tempfile::TempDir);

impl Builds {
    fn make() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        for site in ["console", "explorer"] {
            write(
                &format!("{site}/index.html"),
                format!("<title>{site}</title>").as_bytes(),
            );
            write(&format!("{site}/assets/app-1a2B.js"), SCRIPT.as_bytes());
            write(&format!("{site}/assets/app-1a2B.js.gz"), b"packed by gzip");
            write(&format!("{site}/assets/app-1a2B.js.br"), b"packed by brotli");
            write(&format!("{site}/assets/only-3c4D.js.gz"), &gzip(SCRIPT));
            write(&format!("{site}/.secret.js"), b"hidden");
            write(&format!("{site}/notes.md"), b"no part of a page");
        }
        write("secret.js", b"outside");
        Self(folder)
    }

    async fn serve(&self, settings: &[(&'static str, &str)]) -> TestApp {
        let folder = self.0.path().display().to_string();
        let mut all = vec![("pages.folder", folder.as_str())];
        all.extend_from_slice(settings);
        TestApp::start_with(&all).await
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("packed");
    encoder.finish().expect("packed")
}

async fn fetch(
    app: &TestApp,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
) -> (StatusCode, HeaderMap, String) {
    let mut request = app.anonymous().request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("a response");
    let (status, headers) = (response.status(), response.headers().clone());
    (status, headers, response.text().await.expect("a text"))
}

async fn get(app: &TestApp, path: &str, headers: &[(&'static str, &str)]) -> (StatusCode, HeaderMap, String) {
    fetch(app, Method::GET, path, headers).await
}

#[tokio::test]
async fn browsers_get_the_pages_and_programs_what_they_always_got() {
    let builds = Builds::make();
    let app = builds.serve(&[]).await;
    let (status, headers, text) = get(&app, "/", &[("accept", BROWSER)]).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "<title>console</title>"));
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    for path in ["/graphiql", "/graphiql/", "/graphql", "/graphql?query=%7B__typename%7D"] {
        let (status, _, text) = get(&app, path, &[("accept", BROWSER)]).await;
        assert_eq!(
            (status, text.as_str()),
            (StatusCode::OK, "<title>explorer</title>"),
            "{path}"
        );
    }
    let (_, headers, text) = get(&app, "/", &[("accept", "*/*")]).await;
    assert!(text.contains("\"graphql\":\"/graphql\""), "{text}");
    assert_eq!(headers["vary"], "Accept", "a cache must not give it to browsers");
    let (status, headers, _) = get(&app, "/graphql?query=%7B__typename%7D", &[("accept", "*/*")]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        headers["content-type"]
            .to_str()
            .expect("text")
            .starts_with("application/json")
    );
}

#[tokio::test]
async fn what_is_named_after_its_content_is_kept_and_the_rest_is_asked_for_again() {
    let builds = Builds::make();
    let app = builds.serve(&[]).await;
    let (status, headers, text) = get(&app, "/assets/app-1a2B.js", &[]).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, SCRIPT));
    assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(headers["content-type"], "text/javascript; charset=utf-8");

    let (_, headers, _) = get(&app, "/", &[("accept", BROWSER)]).await;
    assert_eq!(headers["cache-control"], "no-cache");
    let tag = headers["etag"].to_str().expect("text").to_owned();
    let weak = format!("\"other\", W/{tag}");
    for known in [tag.as_str(), weak.as_str(), "*"] {
        let (status, headers, text) = get(&app, "/", &[("accept", BROWSER), ("if-none-match", known)]).await;
        assert_eq!((status, text.as_str()), (StatusCode::NOT_MODIFIED, ""), "{known}");
        assert_eq!(headers["etag"], tag.as_str());
    }
    let (status, _, _) = get(&app, "/", &[("accept", BROWSER), ("if-none-match", "\"other\"")]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn packed_files_go_to_whoever_takes_them() {
    let builds = Builds::make();
    let app = builds.serve(&[]).await;
    for (accepted, encoding, text) in [
        ("gzip, deflate, br", Some("br"), "packed by brotli"),
        ("gzip, br;q=0", Some("gzip"), "packed by gzip"),
        ("gzip", Some("gzip"), "packed by gzip"),
        ("identity", None, SCRIPT),
    ] {
        for path in ["/assets/app-1a2B.js", "/graphiql/assets/app-1a2B.js"] {
            let (_, headers, body) = get(&app, path, &[("accept-encoding", accepted)]).await;
            let named = headers
                .get("content-encoding")
                .map(|value| value.to_str().expect("text"));
            assert_eq!((named, body.as_str()), (encoding, text), "{path} {accepted}");
            assert!(headers["vary"].to_str().expect("text").contains("Accept-Encoding"));
            assert_eq!(headers["content-type"], "text/javascript; charset=utf-8");
        }
    }
    for path in ["/assets/app-1a2B.js.gz", "/assets/app-1a2B.js.br"] {
        assert_eq!(get(&app, path, &[]).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

/// As in the executable, which contains no plain files.
#[tokio::test]
async fn a_file_that_exists_packed_alone_is_unpacked_for_whoever_takes_no_packed_ones() {
    let builds = Builds::make();
    let app = builds.serve(&[]).await;
    for path in ["/assets/only-3c4D.js", "/graphiql/assets/only-3c4D.js"] {
        for accepted in ["identity", "zstd"] {
            let (status, headers, body) = get(&app, path, &[("accept-encoding", accepted)]).await;
            assert_eq!((status, body.as_str()), (StatusCode::OK, SCRIPT), "{path} {accepted}");
            assert!(!headers.contains_key("content-encoding"));
            assert_eq!(headers["content-type"], "text/javascript; charset=utf-8");
        }
        let (_, headers, _) = get(&app, path, &[("accept-encoding", "gzip, br")]).await;
        assert_eq!(headers["content-encoding"], "gzip", "{path}");
    }
}

#[tokio::test]
async fn a_head_has_the_headers_alone_and_nothing_is_posted_to_a_file() {
    let builds = Builds::make();
    let app = builds.serve(&[]).await;
    for path in ["/", "/assets/app-1a2B.js", "/graphiql", "/graphiql/assets/app-1a2B.js"] {
        let (status, read, body) = get(&app, path, &[("accept", BROWSER)]).await;
        let (head_status, head, empty) = fetch(&app, Method::HEAD, path, &[("accept", BROWSER)]).await;
        assert_eq!((head_status, empty.as_str()), (status, ""), "{path}");
        assert_eq!(head["content-length"], body.len().to_string().as_str(), "{path}");
        assert_eq!(head["content-type"], read["content-type"]);
    }
    let (status, _, _) = fetch(&app, Method::POST, "/assets/app-1a2B.js", &[]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _, _) = fetch(&app, Method::POST, "/graphiql", &[]).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn no_path_leads_out_of_a_build() {
    let builds = Builds::make();
    let app = builds.serve(&[]).await;
    for base in ["", "/graphiql"] {
        for path in [
            "/../secret.js",
            "/..%2fsecret.js",
            "/%2e%2e/secret.js",
            "/assets/../../secret.js",
            "/assets/..%5c..%5csecret.js",
            "/assets//app-1a2B.js",
            "/./index.html",
            "/.secret.js",
            "/notes.md",
            "/assets/",
            "/assets",
            "/nowhere.js",
            "//etc/passwd",
        ] {
            // As it is: a client would tidy the path.
            let mut raw = Raw::connect(app.base()).await;
            let text = format!("GET {base}{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            raw.send(text).await.expect("sent");
            let answer = raw.answer().await.expect("an answer");
            assert_eq!(answer.status, 404, "{base}{path}");
        }
    }
}

#[tokio::test]
async fn pages_run_their_own_files_alone() {
    let builds = Builds::make();
    let issuer = [
        ("auth.issuer", "https://sign-in.example/realms/team"),
        ("pages.oidc_client_id", "console"),
    ];
    let app = builds.serve(&issuer).await;
    let policy_at = async |path: &'static str| {
        let (_, headers, _) = get(&app, path, &[("accept", BROWSER)]).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(headers[name], value, "{path}");
        }
        headers["content-security-policy"].to_str().expect("text").to_owned()
    };
    for path in ["/", "/graphiql", "/graphql", "/assets/app-1a2B.js"] {
        let policy = policy_at(path).await;
        let directives: Vec<&str> = policy.split("; ").collect();
        for directive in [
            "default-src 'none'",
            "script-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(directives.contains(&directive), "{path}: {policy}");
        }
    }
    let console = policy_at("/").await;
    let console: Vec<&str> = console.split("; ").collect();
    assert!(
        console.contains(&"connect-src 'self' https://sign-in.example"),
        "{console:?}"
    );
    assert!(console.contains(&"style-src 'self'"), "{console:?}");
    assert!(policy_at("/graphiql").await.ends_with("connect-src 'self'"));
}

#[tokio::test]
async fn settings_take_pages_away_and_the_explorer_is_for_development() {
    let builds = Builds::make();
    let app = builds
        .serve(&[("pages.console", "false"), ("pages.explorer", "false")])
        .await;
    let (_, headers, _) = get(&app, "/", &[("accept", BROWSER)]).await;
    assert_eq!(headers["content-type"], "application/json");
    for path in ["/assets/app-1a2B.js", "/graphiql", "/graphiql/assets/app-1a2B.js"] {
        assert_eq!(
            get(&app, path, &[("accept", BROWSER)]).await.0,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let (status, _, _) = get(&app, "/graphql", &[("accept", "text/html")]).await;
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE);

    let secret = "0123456789012345678901234567890123456789";
    let production = [
        ("mode", "production"),
        ("secret", secret),
        ("auth.jwt_secret", "another secret, of the application itself"),
    ];
    let app = builds.serve(&production).await;
    assert_eq!(get(&app, "/", &[("accept", BROWSER)]).await.2, "<title>console</title>");
    assert_eq!(get(&app, "/graphiql", &[]).await.0, StatusCode::NOT_FOUND);
    let (status, _, _) = get(&app, "/graphql", &[("accept", "text/html")]).await;
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn a_page_that_is_not_built_says_how_to_build_it() {
    let empty = tempfile::tempdir().expect("a folder");
    let folder = empty.path().display().to_string();
    let app = TestApp::start_with(&[("pages.folder", &folder)]).await;
    for path in ["/", "/graphiql", "/graphql"] {
        let (status, headers, text) = get(&app, path, &[("accept", BROWSER)]).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(text.contains("npm run build"), "{text}");
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(!policy.contains("script-src"), "{policy}");
    }
}
