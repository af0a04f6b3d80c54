//! Sends mail: by SMTP, or, where none is set up, into files that any mail program opens.
//!
//! Called by the domain through its port.

mod files;
mod message;
mod smtp;

pub use files::FileMailer;
pub use message::{InvalidSender, Sender};
pub use smtp::{InvalidSmtpUrl, SmtpMailer};
