//! How findings are put into words: the port.

use crate::domain::fault::Fault;
use crate::domain::notification::Reader;

use super::model::Finding;

/// A finding in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What it is, in a line.
    pub summary: String,
    /// Why, with the figures.
    pub cause: String,
    /// What to write on the button that mends it.
    pub label: String,
    /// How it is mended.
    pub help: String,
}

/// Puts findings into words, in the languages that mail is written in. A fault is a template that is broken.
pub trait Explaining: Send + Sync + 'static {
    /// A finding, for a reader.
    fn explain(&self, finding: &Finding, reader: &Reader) -> Result<Explained, Fault>;
}
