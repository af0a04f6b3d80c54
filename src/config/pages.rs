//! Settings of pages that the server serves.

use std::path::PathBuf;

use serde::Deserialize;

use super::{ConfigError, Reader};
use crate::http::Oidc;

/// Which pages are served.
#[derive(Clone, Debug, Deserialize)]
pub struct PageSettings {
    /// Whether the console is served.
    pub console: bool,
    /// Whether the explorer is served.
    pub explorer: bool,
    /// A folder with builds of both, in place of those that the executable contains.
    pub folder: Option<PathBuf>,
}

/// Reads the console's client at this issuer.
pub(super) fn read_oidc(read: &Reader, issuer: Option<&str>) -> Result<Option<Oidc>, ConfigError> {
    let oidc: Oidc = read.section("pages")?;
    if oidc.client_id.is_empty() {
        return Ok(None);
    }
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
    Ok(Some(Oidc {
        issuer: issuer.to_owned(),
        ..oidc
    }))
}
