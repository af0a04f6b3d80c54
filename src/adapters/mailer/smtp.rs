//! Mail by SMTP (RFC 5321), over TLS from the first byte or by STARTTLS.

use std::time::Duration;

use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::response::{Code, Severity};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use crate::domain::notification::{Mail, MailError, Mailer, Sending};

use super::message::Sender;

/// To connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// For a whole mail, connecting included: the client knows no deadline for an answer. No more than the domain has in mind for a try.
const MAIL_TIMEOUT: Duration = Duration::from_mins(1);
/// Connections at the most.
const CONNECTIONS: u32 = 4;

/// The address of the server is no good.
#[derive(Debug, thiserror::Error)]
#[error("must be such as smtps://user:password@mail.example.com or smtp://mail.example.com:587?tls=required: {0}")]
pub struct InvalidSmtpUrl(#[from] lettre::transport::smtp::Error);

/// Hands mail to a server, over a few connections that are kept open.
#[derive(Clone, Debug)]
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    sender: Sender,
}

impl SmtpMailer {
    /// By the server at `url`: `smtps://` for TLS from the first byte, `smtp://…?tls=required` for STARTTLS. Must be called on the
    /// runtime.
    pub fn new(url: &str, sender: Sender) -> Result<Self, InvalidSmtpUrl> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?
            .timeout(Some(CONNECT_TIMEOUT))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS))
            .build();
        Ok(Self { transport, sender })
    }

    /// Connects and signs in, and sends nothing. Gives the reason where that does not work.
    pub async fn probe(&self) -> Result<(), String> {
        match self.transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it does not answer as a mail system does".to_owned()),
            Err(error) => Err(in_words(&error)),
        }
    }

    async fn hand_over(&self, mail: &Mail) -> Result<(), MailError> {
        let message = self.sender.message(mail)?;
        match tokio::time::timeout(MAIL_TIMEOUT, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(MailError::Deferred("the mail system did not answer in time".to_owned())),
        }
    }
}

impl Mailer for SmtpMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> Sending<'a> {
        Box::pin(self.hand_over(mail))
    }
}

fn in_words(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

fn refused(error: &lettre::transport::smtp::Error) -> MailError {
    let text = in_words(error);
    match error.status() {
        Some(code) if is_about_recipient(code) => MailError::Rejected(text),
        _ => MailError::Deferred(text),
    }
}

/// Of the lasting refusals, only these are about the mail and where it goes; the others (sign-in, syntax, TLS wanted) are about how
/// this server is set up, which the operator will mend.
fn is_about_recipient(code: Code) -> bool {
    let number = u16::from(code);
    code.severity == Severity::PermanentNegativeCompletion && (550..560).contains(&number)
}
