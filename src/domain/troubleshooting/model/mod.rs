//! What can be wrong, and what is said of it: nouns.

mod finding;
mod snapshot;

pub use finding::{Call, Fact, Facts, Finding, FindingCode, Remedy, RemedyAction, Symptom};
pub use snapshot::{OpenSession, SessionFigures, Snapshot, typical};
