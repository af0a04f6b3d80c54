//! Findings and remedies in the API.
//!
//! Called by the account type and the subscription root. This module only converts types; the domain decides what is wrong. The
//! call of a remedy is written here as a mutation with its variables, because only this module knows the names of the contract.

mod finding;
mod last_findings;
mod remedy;
mod subscription;

pub(super) use finding::{Finding, findings};
pub(super) use last_findings::LastFindings;
pub(super) use subscription::{TroubleshootingEvent, TroubleshootingSubscription};
