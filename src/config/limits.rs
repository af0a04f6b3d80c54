//! Settings of limits: which operations are allowed, and whether the limits fit each other.

use std::path::PathBuf;

use serde::Deserialize;

use super::{ConfigError, Settings};
use crate::http::Introspection;

/// Settings of operations that are requested by id.
#[derive(Clone, Debug, Deserialize)]
pub struct DocumentSettings {
    /// The file of trusted documents.
    pub trusted: Option<PathBuf>,
    /// Whether all other documents are refused.
    pub only_trusted: bool,
    /// Who may query the schema itself.
    pub introspection: Introspection,
}

impl Settings {
    /// Refuses limits with which some operations would always be refused.
    pub(super) fn check_limits(&self) -> Result<(), ConfigError> {
        let refused = [
            (
                u64::from(self.rates.burst.get()) < self.cost,
                "limits.burst must be at least limits.cost, or the most expensive operations would always be refused",
            ),
            (
                self.documents.only_trusted && self.documents.trusted.is_none(),
                "documents.only_trusted needs documents.trusted, or all operations would be refused",
            ),
            (
                self.live_connections.cost < self.cost,
                "live.cost_per_caller must be at least limits.cost, or the most expensive subscriptions would always be refused",
            ),
        ];
        match refused.into_iter().find(|(is_refused, _)| *is_refused) {
            Some((_, text)) => Err(ConfigError::Together(text.to_owned())),
            None => Ok(()),
        }
    }
}
