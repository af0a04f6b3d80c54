//! The pages that the server serves, from the executable or from a folder.

use std::sync::Arc;

use crate::adapters::pages;
use crate::config::{OidcSettings, PageSettings};
use crate::http::{Files, Oidc, Pages, Site};

/// Returns the pages that these settings select.
pub(super) fn pages(settings: &PageSettings) -> Pages {
    let issuer = settings.oidc.as_ref().map(|oidc| oidc.issuer.as_str());
    let files = |name: &str, built_in: Files| match &settings.folder {
        Some(folder) => Arc::new(pages::in_folder(folder.join(name))),
        None => built_in,
    };
    Pages {
        console: settings
            .console
            .then(|| Site::console(files("console", Arc::new(pages::console)), issuer)),
        explorer: settings
            .explorer
            .then(|| Site::explorer(files("explorer", Arc::new(pages::explorer)))),
    }
}

/// Converts the settings of the console's sign-in at an issuer.
pub(super) fn oidc(settings: &OidcSettings) -> Oidc {
    Oidc {
        issuer: settings.issuer.clone(),
        client_id: settings.client_id.clone(),
        scope: settings.scope.clone(),
        uses_id_token: settings.uses_id_token,
    }
}
