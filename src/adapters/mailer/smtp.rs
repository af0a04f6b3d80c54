//! Sends mail by SMTP (RFC 5321), over TLS from the first byte or by STARTTLS.

use std::time::Duration;

use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::response::{Code, Severity};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use reqwest::Url;
use tracing::Instrument as _;

use crate::domain::notification::{Mail, MailError, Mailer, Sending};

use super::message::Sender;
use crate::adapters::is_this_machine;
use crate::primitives::trace;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// The limit for a whole mail, including the connection: the SMTP client has no deadline for a response. It is at most the time
/// that the domain plans for one attempt.
const MAIL_TIMEOUT: Duration = Duration::from_mins(1);
/// The maximum number of connections.
const CONNECTIONS: u32 = 4;

/// Why the address of the SMTP server is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSmtpUrl {
    /// The address cannot be parsed.
    #[error("must be such as smtps://user:password@mail.example.com or smtp://mail.example.com:587?tls=required: {0}")]
    Malformed(String),
    /// The password would be sent over the network without encryption.
    #[error(
        "has a password, which would be sent to {0} without encryption: write smtps://, or smtp:// with ?tls=required"
    )]
    PlainPassword(String),
}

/// Sends mail to an SMTP server over a few persistent connections.
#[derive(Clone, Debug)]
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    sender: Sender,
}

impl SmtpMailer {
    /// Creates a mailer for the server at `url`: `smtps://` for TLS from the first byte, `smtp://…?tls=required` for STARTTLS.
    /// Must be called on the runtime.
    pub fn new(url: &str, sender: Sender) -> Result<Self, InvalidSmtpUrl> {
        refuse_plain_password(url)?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|error| InvalidSmtpUrl::Malformed(error.to_string()))?
            .timeout(Some(CONNECT_TIMEOUT))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS))
            .build();
        Ok(Self { transport, sender })
    }

    /// Connects and signs in without sending a mail. Returns the reason if that fails.
    pub async fn probe(&self) -> Result<(), String> {
        match self.transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it does not respond like a mail server".to_owned()),
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
        let span = trace::mail();
        let sent = self.hand_over(mail).instrument(span.clone());
        Box::pin(async move {
            let sent = sent.await;
            if sent.is_err() {
                trace::failed(&span, "_OTHER");
            }
            sent
        })
    }
}

/// Refuses a password without TLS, except for a server on this machine. `tls=opportunistic` is no protection: a machine in
/// between can claim that the server has no TLS.
fn refuse_plain_password(url: &str) -> Result<(), InvalidSmtpUrl> {
    let url: Url = url
        .parse()
        .map_err(|error| InvalidSmtpUrl::Malformed(format!("{error}")))?;
    let has_password = url.password().is_some() || !url.username().is_empty();
    let requires_tls =
        url.scheme() == "smtps" || url.query_pairs().any(|pair| pair == ("tls".into(), "required".into()));
    let host = url.host_str().unwrap_or_default();
    if has_password && !requires_tls && !is_this_machine(host) {
        return Err(InvalidSmtpUrl::PlainPassword(host.to_owned()));
    }
    Ok(())
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

/// Returns whether a permanent refusal is about the mail and its recipient. All other permanent refusals (sign-in, syntax, TLS
/// required) are about the setup of this server, which the operator will fix.
fn is_about_recipient(code: Code) -> bool {
    let number = u16::from(code);
    code.severity == Severity::PermanentNegativeCompletion && (550..560).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_not_sent_over_the_network_without_tls() {
        let sender = || Sender::parse("a@bell.example").expect("an address");
        let made = |url: &str| {
            SmtpMailer::new(url, sender())
                .map(drop)
                .map_err(|error| error.to_string())
        };
        for url in [
            "smtp://bell:hunter2@mail.example",
            "smtp://bell:hunter2@mail.example:587?tls=opportunistic",
            "smtp://bell@mail.example:25",
            "smtp://bell:hunter2@10.0.0.7",
            "smtp://bell:hunter2@127.0.0.1.mail.example",
        ] {
            let refused = made(url).expect_err(url);
            assert!(
                refused.contains("without encryption") && !refused.contains("hunter2"),
                "{url}: {refused}"
            );
        }
        for url in [
            "smtps://bell:hunter2@mail.example",
            "smtp://bell:hunter2@mail.example:587?tls=required",
            "smtp://bell:hunter2@127.0.0.1:1025",
            "smtp://bell:hunter2@localhost",
            "smtp://bell:hunter2@[::1]:1025",
            "smtp://mail.example",
        ] {
            assert_eq!(made(url), Ok(()), "{url}");
        }
        assert!(made("smtp//mail").is_err_and(|error| error.contains("must be such as")));
    }
}
