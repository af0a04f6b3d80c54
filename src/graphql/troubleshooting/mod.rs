//! What is wrong and what mends it, in the public language.
//!
//! Called by the account type and the schema's root of subscriptions. Shapes only: what is wrong is for the domain to say. What a remedy calls is written here as a
//! mutation with its variables, because only this room knows the words of the contract.

mod finding;
mod remedy;
mod subscription;

pub(super) use finding::{Finding, findings};
pub(super) use subscription::{TroubleshootingEvent, TroubleshootingSubscription};
