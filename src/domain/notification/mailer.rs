//! How mail is sent, and how we hear what became of it: the ports.

use std::future::Future;
use std::pin::Pin;

use crate::primitives::clock::Timestamp;

use super::model::Report;
use super::wording::Letter;

/// A mail on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The address that it goes to.
    pub to: String,
    /// What the person there is called; `None` where the address may be a stranger's.
    pub name: Option<String>,
    /// The part of its Message-ID before the @: the same whenever the same mail is sent, so that a mail system can tell that it
    /// has it already.
    pub message_id: String,
    /// What it says.
    pub letter: Letter,
    /// The part before the @ of the id that mails about the same have in common, so that mail programs show them together.
    pub thread: Option<String>,
    /// How to get no more of these; `None` where they cannot be switched off.
    pub unsubscribe: Option<Unsubscribe>,
}

/// How to get no more mails of a sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsubscribe {
    /// A page on which to choose.
    Page(String),
    /// A link that mail programs post to (RFC 8058).
    OneClick(String),
}

impl Unsubscribe {
    /// Where it is, for people too.
    pub fn url(&self) -> &str {
        match self {
            Self::Page(url) | Self::OneClick(url) => url,
        }
    }
}

/// Why a mail was not sent, for the log: members are shown a [`super::model::MailFailure`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The mail system will not have it, now or later: there is no such address, or it refuses this one.
    #[error("{0}")]
    Rejected(String),
    /// It may go better later.
    #[error("{0}")]
    Deferred(String),
    /// It cannot be written, by the templates that there are.
    #[error("the mail cannot be written: {0}")]
    Unwritten(String),
}

/// The future of a mail that is being sent.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), MailError>> + Send + 'a>>;

/// Sends mail. Bounded in time; what it takes over is on its way, and may be so without this knowing, when the answer is lost.
pub trait Mailer: Send + Sync + 'static {
    /// Hands a mail over to the mail system.
    fn send<'a>(&'a self, mail: &'a Mail) -> Sending<'a>;
}

/// Why a report of a mail is not believed, or makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReport {
    /// It is not signed as it should be, or was signed too long ago.
    #[error("it is not signed as it should be, or not within five minutes")]
    Signature,
    /// It is no report.
    #[error("{0}")]
    Body(String),
}

/// Reads reports of mail. Whatever this returns was sent by somebody whom the operator trusts.
pub trait ReportSource: Send + Sync + 'static {
    /// The report in a message with this signature.
    fn read(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<Report, InvalidReport>;
}
