//! Sends mail: by SMTP, or, where none is set up, into files that any mail program opens.
//!
//! Reads what is reported of mail later on, too. Called by the domain through its ports.

mod files;
mod message;
mod reports;
mod smtp;

pub use files::FileMailer;
pub use message::{InvalidSender, Sender};
pub use reports::SignedReports;
pub use smtp::{InvalidSmtpUrl, SmtpMailer};
