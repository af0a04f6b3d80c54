//! Nouns: the problems that are diagnosed, and their remedies.

mod finding;
mod snapshot;

pub use finding::{Call, Fact, Facts, Finding, FindingCode, Remedy, RemedyAction, Symptom};
pub use snapshot::{OpenSession, SessionFigures, Snapshot, typical};
