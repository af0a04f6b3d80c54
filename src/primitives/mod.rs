//! Values without dependencies: every module may import them, and they import none.

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
