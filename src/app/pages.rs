//! The pages that the server serves, from the executable or from a folder.

use std::sync::Arc;

use crate::adapters::pages;
use crate::config::Settings;
use crate::http::{Files, Pages, Site};

/// Returns the pages that these settings select.
pub(super) fn pages(settings: &Settings) -> Pages {
    let issuer = settings.oidc.as_ref().map(|oidc| oidc.issuer.as_str());
    let settings = &settings.pages;
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
