//! Port for the texts of findings.

use crate::domain::fault::Fault;
use crate::domain::notification::Reader;

use super::model::Finding;

/// The texts of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The problem in one line.
    pub summary: String,
    /// The reason, with the figures.
    pub cause: String,
    /// The label of the button for the remedy.
    pub label: String,
    /// How to fix the problem.
    pub help: String,
}

/// Puts findings into words, in the languages of mail. A fault means that a template is broken.
pub trait Explaining: Send + Sync + 'static {
    /// Returns the texts of a finding for a reader.
    fn explain(&self, finding: &Finding, reader: &Reader) -> Result<Explained, Fault>;
}
