//! Sends mail by SMTP, or writes it into files where no SMTP server is set. Every mail program can open these files.
//!
//! Also reads later reports about mail. Called by the domain through its ports.

mod files;
mod message;
mod reports;
mod smtp;

pub use files::FileMailer;
pub use message::{InvalidSender, Sender};
pub use reports::SignedReports;
pub use smtp::{InvalidSmtpUrl, SmtpMailer};
