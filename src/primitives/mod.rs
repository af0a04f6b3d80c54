//! Values that know nobody: importable by every room, importing none. All but the clock come from `ledgerbell-core`.

pub mod clock;

pub use ledgerbell_core::primitives::{actor, credits, cursor, derived_key, ids, line, local_time, money, page};
