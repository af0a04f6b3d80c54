//! Values that know nobody: importable by every room, importing none.

pub mod actor;
pub mod clock;
pub mod credits;
pub mod cursor;
pub mod derived_key;
pub mod ids;
pub mod line;
pub mod local_time;
pub mod mailbox;
pub mod money;
pub mod page;
pub mod text_enum;
