//! Settings of pages that the server serves.

use std::path::PathBuf;

use super::{ConfigError, Reader};

/// Which pages are served, and how members sign in to them.
#[derive(Clone, Debug)]
pub struct PageSettings {
    /// Whether the console is served.
    pub console: bool,
    /// Whether the explorer is served.
    pub explorer: bool,
    /// A folder with builds of both, in place of those that the executable contains.
    pub folder: Option<PathBuf>,
    /// The console's client at an issuer.
    pub oidc: Option<OidcSettings>,
}

/// How the console signs members in at an issuer.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// The issuer's URL.
    pub issuer: String,
    /// The client id of the console at the issuer.
    pub client_id: String,
    /// The scope that the console requests.
    pub scope: String,
    /// Whether the credential is the ID token instead of the access token.
    pub uses_id_token: bool,
}

/// Reads which pages are served, and the console's client at this issuer.
pub(super) fn read_pages(
    read: &Reader<'_>,
    development: bool,
    issuer: Option<&str>,
) -> Result<PageSettings, ConfigError> {
    let flags = [("true", true), ("false", false)];
    Ok(PageSettings {
        console: read.one_of("pages.console", &flags)?,
        explorer: match read.text("pages.explorer")? {
            Some(_) => read.one_of("pages.explorer", &flags)?,
            None => development,
        },
        folder: read.text("pages.folder")?.map(PathBuf::from),
        oidc: read_oidc(read, issuer)?,
    })
}

fn read_oidc(read: &Reader<'_>, issuer: Option<&str>) -> Result<Option<OidcSettings>, ConfigError> {
    let scope = read.required("pages.oidc_scope")?.to_owned();
    let uses_id_token = read.one_of("pages.oidc_token", &[("access", false), ("id", true)])?;
    let Some(client_id) = read.text("pages.oidc_client_id")? else {
        return Ok(None);
    };
    let is_url = |text: &str| {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        host.is_some_and(|host| !host.is_empty())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b";,'".contains(&byte))
    };
    let Some(issuer) = issuer.filter(|issuer| is_url(issuer)) else {
        return Err(ConfigError::Together(
            "pages.oidc_client_id needs auth.issuer beside it, which must be a URL: the console signs its members in there".to_owned(),
        ));
    };
    Ok(Some(OidcSettings {
        issuer: issuer.to_owned(),
        client_id,
        scope,
        uses_id_token,
    }))
}
