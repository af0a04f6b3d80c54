//! Ports for sending mail and for reading reports of it.

use std::future::Future;
use std::pin::Pin;

use crate::primitives::clock::Timestamp;

use super::model::Report;
use super::wording::Letter;

/// A mail to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The recipient's address.
    pub to: String,
    /// The recipient's name; `None` where the address may belong to a stranger.
    pub name: Option<String>,
    /// The part of its Message-ID before the @. It is the same each time the same mail is sent, so that a mail system can
    /// detect the repetition.
    pub message_id: String,
    /// Subject and text.
    pub letter: Letter,
    /// The part before the @ of an id that mails about the same subject share, so that mail programs show them together.
    pub thread: Option<String>,
    /// How the recipient unsubscribes; `None` where the kinds cannot be switched off.
    pub unsubscribe: Option<Unsubscribe>,
}

/// How a recipient unsubscribes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsubscribe {
    /// A page with the choices.
    Page(String),
    /// A link that mail programs post to (RFC 8058).
    OneClick(String),
}

impl Unsubscribe {
    /// Returns the link, which also works in a browser.
    pub fn url(&self) -> &str {
        match self {
            Self::Page(url) | Self::OneClick(url) => url,
        }
    }
}

/// Why a mail was not sent, for the log. Members see a [`super::model::MailFailure`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The mail system refuses the mail permanently: the address does not exist, or it refuses this one.
    #[error("{0}")]
    Rejected(String),
    /// A later try may succeed.
    #[error("{0}")]
    Deferred(String),
    /// The templates could not produce the mail.
    #[error("the mail cannot be written: {0}")]
    Unwritten(String),
}

/// The future of a send that is in progress.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), MailError>> + Send + 'a>>;

/// Sends mail within a bounded time. If the response is lost, the mail may have been sent although the caller gets an error.
pub trait Mailer: Send + Sync + 'static {
    /// Passes a mail to the mail system.
    fn send<'a>(&'a self, mail: &'a Mail) -> Sending<'a>;
}

/// Why a report of a mail is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReport {
    /// The signature is wrong or too old.
    #[error("its signature is invalid, or is more than five minutes old")]
    Signature,
    /// The body is not a report.
    #[error("{0}")]
    Body(String),
}

/// Reads reports of mail. A returned report was signed by a sender that the operator trusts.
pub trait ReportSource: Send + Sync + 'static {
    /// Returns the report in a message with this signature.
    fn read(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<Report, InvalidReport>;
}
