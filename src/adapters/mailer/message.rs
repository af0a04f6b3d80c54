//! A mail in the form that mail systems take (RFC 5322, MIME).

use lettre::Message;
use lettre::address::AddressError;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use crate::domain::notification::{Mail, MailError};

/// The sender is no address.
#[derive(Debug, thiserror::Error)]
#[error("must be an address such as \"Ledgerbell <credits@example.com>\": {0}")]
pub struct InvalidSender(#[from] AddressError);

/// Who mail is from.
#[derive(Clone, Debug)]
pub struct Sender(Mailbox);

impl Sender {
    /// From an address, with a name before it or not.
    pub fn parse(text: &str) -> Result<Self, InvalidSender> {
        Ok(Self(text.parse()?))
    }

    /// The mail as it goes out. One that cannot be written, for its address, would not go better later.
    pub(super) fn message(&self, mail: &Mail) -> Result<Message, MailError> {
        let rejected = |error: &dyn std::fmt::Display| MailError::Rejected(error.to_string());
        let address = mail.to.parse().map_err(|error| rejected(&error))?;
        let message_id = format!("<{}@{}>", mail.message_id, self.0.email.domain());
        let mut builder = Message::builder()
            .from(self.0.clone())
            .to(Mailbox::new(mail.name.clone(), address))
            .subject(mail.letter.subject.clone())
            .message_id(Some(message_id))
            .header(AutoSubmitted);
        if let Some(url) = &mail.unsubscribe {
            builder = builder.header(ListUnsubscribe(format!("<{url}>")));
        }
        let body = MultiPart::alternative_plain_html(mail.letter.text.clone(), mail.letter.html.clone());
        builder.multipart(body).map_err(|error| rejected(&error))
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Where to go to get no more of these (RFC 2369).
#[derive(Clone, Debug)]
struct ListUnsubscribe(String);

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, AnyError> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// No person wrote this, so no holiday answer is wanted (RFC 3834).
#[derive(Clone, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, AnyError> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notification::Letter;

    fn mail(unsubscribe: Option<&str>) -> Mail {
        Mail {
            to: "ada@example.com".to_owned(),
            name: Some("Ada, \"Countess\"".to_owned()),
            message_id: "dlv_1".to_owned(),
            letter: Letter {
                subject: "Das Guthaben wird knapp: ü".to_owned(),
                text: "Text".to_owned(),
                html: "<p>HTML</p>".to_owned(),
            },
            unsubscribe: unsubscribe.map(str::to_owned),
        }
    }

    #[test]
    fn a_mail_has_a_stable_id_both_bodies_and_the_way_out_where_there_is_one() {
        let sender = Sender::parse("Ledgerbell <credits@bell.example>").expect("an address");
        let text =
            |mail: &Mail| String::from_utf8(sender.message(mail).expect("a message").formatted()).expect("ASCII");
        let with = text(&mail(Some("https://app.example/settings")));
        for expected in [
            "Message-ID: <dlv_1@bell.example>",
            "List-Unsubscribe: <https://app.example/settings>",
            "Auto-Submitted: auto-generated",
            "From: Ledgerbell <credits@bell.example>",
            "text/plain",
            "text/html",
        ] {
            assert!(with.contains(expected), "{expected} in {with}");
        }
        assert!(!text(&mail(None)).contains("List-Unsubscribe"));
    }

    #[test]
    fn what_cannot_be_addressed_is_rejected() {
        let sender = Sender::parse("credits@bell.example").expect("an address");
        let nowhere = Mail {
            to: "nobody".to_owned(),
            ..mail(None)
        };
        assert!(matches!(sender.message(&nowhere), Err(MailError::Rejected(_))));
        assert!(Sender::parse("nobody").is_err());
    }
}
