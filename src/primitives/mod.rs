//! Values without dependencies: every module may import them, and they import none.

pub mod clock;
pub mod histogram;
pub mod network;
pub mod trace;

pub use ledgerbell_core::primitives::{
    actor, change, credits, cursor, derived_key, ids, line, local_time, mailbox, money, page, record, secret,
};
