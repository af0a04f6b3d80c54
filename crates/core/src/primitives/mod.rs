//! Values without dependencies: importable by every module, importing none.

pub mod actor;
pub mod change;
pub mod credits;
pub mod cursor;
pub mod derived_key;
pub mod ids;
pub mod line;
pub mod local_time;
pub mod mailbox;
pub mod money;
pub mod page;
pub mod period;
#[cfg(feature = "sea-orm")]
pub mod record;
#[cfg(feature = "graphql")]
pub mod scalars;
pub mod secret;
pub mod signature;
pub mod status;
pub mod text_enum;
pub mod timestamp;
