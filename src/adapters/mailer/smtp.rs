//! Sends mail by SMTP (RFC 5321), over TLS from the first byte or by STARTTLS.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::response::{Code, Severity};
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, PoolConfig};
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
/// The maximum number of connections that are kept for later mails.
const CONNECTIONS: usize = 4;

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
    builder: AsyncSmtpTransportBuilder,
    unused: Arc<Mutex<Vec<Connection>>>,
    sender: Sender,
}

/// At most one connection. The client's own pool also keeps connections on which a response is outstanding, because its future was
/// dropped: that response would then be read as the one of the next mail. So a connection is used by one mail at a time, and is kept only
/// after the response.
type Connection = AsyncSmtpTransport<Tokio1Executor>;

impl SmtpMailer {
    /// Creates a mailer for the server at `url`: `smtps://` for TLS from the first byte, `smtp://…?tls=required` for STARTTLS.
    pub fn new(url: &str, sender: Sender) -> Result<Self, InvalidSmtpUrl> {
        refuse_plain_password(url)?;
        let builder = Connection::from_url(url)
            .map_err(|error| InvalidSmtpUrl::Malformed(error.to_string()))?
            .timeout(Some(CONNECT_TIMEOUT))
            .pool_config(PoolConfig::new().max_size(1));
        Ok(Self {
            builder,
            unused: Arc::default(),
            sender,
        })
    }

    /// Connects and signs in without sending a mail. Returns the reason if that fails.
    pub async fn probe(&self) -> Result<(), String> {
        match self.new_connection().test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it does not respond like a mail server".to_owned()),
            Err(error) => Err(in_words(&error)),
        }
    }

    async fn hand_over(&self, mail: &Mail) -> Result<(), MailError> {
        let message = self.sender.message(mail)?;
        let connection = self.unused().pop();
        let connection = connection.unwrap_or_else(|| self.new_connection());
        let Ok(answer) = tokio::time::timeout(MAIL_TIMEOUT, connection.send(message)).await else {
            return Err(MailError::Deferred("the mail system did not answer in time".to_owned()));
        };
        self.keep(connection);
        answer.map(drop).map_err(|error| refused(&error))
    }

    fn new_connection(&self) -> Connection {
        self.builder.clone().build()
    }

    fn keep(&self, connection: Connection) {
        let mut unused = self.unused();
        if unused.len() < CONNECTIONS {
            unused.push(connection);
        }
    }

    fn unused(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
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
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Notify;

    use super::*;
    use crate::domain::notification::Letter;

    /// A mail server that reports each mail which has come, and then waits before it accepts the first. It refuses all others.
    #[derive(Default)]
    struct Server {
        come: Notify,
        accepts: Notify,
    }

    impl Server {
        async fn converse(&self, stream: TcpStream, mut is_first: bool) -> std::io::Result<()> {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 here\r\n").await?;
            let (mut line, mut in_mail) = (String::new(), false);
            while stream.read_line(&mut line).await? > 0 {
                let answer = match (line.trim_end(), in_mail) {
                    (".", true) => {
                        in_mail = false;
                        self.come.notify_one();
                        if std::mem::take(&mut is_first) {
                            self.accepts.notified().await;
                            "250 taken\r\n"
                        } else {
                            "554 refused\r\n"
                        }
                    }
                    (_, true) => "",
                    ("DATA", false) => {
                        in_mail = true;
                        "354 go on\r\n"
                    }
                    _ => "250 fine\r\n",
                };
                stream.write_all(answer.as_bytes()).await?;
                line.clear();
            }
            Ok(())
        }
    }

    fn mail() -> Mail {
        Mail {
            to: "ada@example.com".to_owned(),
            name: None,
            message_id: "one".to_owned(),
            letter: Letter {
                subject: "Test".to_owned(),
                text: "Test".to_owned(),
                html: "Test".to_owned(),
            },
            thread: None,
            unsubscribe: None,
        }
    }

    #[tokio::test]
    async fn a_mail_never_has_the_response_of_one_before_it_that_was_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = Arc::new(Server::default());
        let of_connections = Arc::clone(&server);
        tokio::spawn(async move {
            let mut is_first = true;
            while let Ok((stream, _)) = listener.accept().await {
                let (server, is_first) = (Arc::clone(&of_connections), std::mem::take(&mut is_first));
                tokio::spawn(async move { server.converse(stream, is_first).await });
            }
        });
        let sender = Sender::parse("bell@bell.example").expect("an address");
        let mailer = SmtpMailer::new(&format!("smtp://127.0.0.1:{port}"), sender).expect("a mailer");
        let given_up = mail();
        tokio::select! {
            answer = mailer.send(&given_up) => panic!("the server has not answered: {answer:?}"),
            () = server.come.notified() => {}
        }
        server.accepts.notify_one();
        for _ in 0..3 {
            let refused = mailer.send(&mail()).await;
            assert!(
                matches!(&refused, Err(MailError::Rejected(text)) if text.contains("554")),
                "{refused:?}"
            );
        }
    }

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
