//! The outside world behind the domain's ports. Built by `app` and by commands; the domain never names what is in here.

pub mod bus;
pub mod database;
pub mod disk;
pub mod gateway;
pub mod key_set;
pub mod lock_file;
pub mod mailer;
pub mod open_files;
pub mod signature;
pub mod wording;
