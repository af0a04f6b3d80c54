//! Converts a mail to the format of mail systems (RFC 5322, MIME).

use lettre::Message;
use lettre::address::AddressError;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use crate::domain::notification::{Mail, MailError, Unsubscribe};

/// The sender is not a valid address.
#[derive(Debug, thiserror::Error)]
#[error("must be an address such as \"Ledgerbell <credits@example.com>\": {0}")]
pub struct InvalidSender(#[from] AddressError);

/// The sender of all mails.
#[derive(Clone, Debug)]
pub struct Sender(Mailbox);

impl Sender {
    /// Parses an address with or without a display name.
    pub fn parse(text: &str) -> Result<Self, InvalidSender> {
        Ok(Self(text.parse()?))
    }

    /// Returns the mail in its wire format. If its address makes that impossible, a retry cannot succeed.
    pub(super) fn message(&self, mail: &Mail) -> Result<Message, MailError> {
        let rejected = |error: &dyn std::fmt::Display| MailError::Rejected(error.to_string());
        let address = mail.to.parse().map_err(|error| rejected(&error))?;
        let with_domain = |id: &str| format!("<{id}@{}>", self.0.email.domain());
        let message_id = with_domain(&mail.message_id);
        let mut builder = Message::builder()
            .from(self.0.clone())
            .to(Mailbox::new(mail.name.clone(), address))
            .subject(mail.letter.subject.clone())
            .message_id(Some(message_id))
            .header(AutoSubmitted)
            .header(AutoResponseSuppress);
        if let Some(thread) = mail.thread.as_deref().map(with_domain) {
            builder = builder.in_reply_to(thread.clone()).references(thread);
        }
        if let Some(unsubscribe) = &mail.unsubscribe {
            builder = builder.header(ListUnsubscribe(format!("<{}>", unsubscribe.url())));
        }
        if matches!(mail.unsubscribe, Some(Unsubscribe::OneClick(_))) {
            builder = builder.header(ListUnsubscribePost);
        }
        let body = MultiPart::alternative_plain_html(mail.letter.text.clone(), mail.letter.html.clone());
        builder.multipart(body).map_err(|error| rejected(&error))
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// The link that ends such mails (RFC 2369).
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

/// Marks the mail as written by a program, so that automatic replies are suppressed (RFC 3834).
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

/// Allows to unsubscribe with one POST request, without a page (RFC 8058).
#[derive(Clone, Debug)]
struct ListUnsubscribePost;

impl Header for ListUnsubscribePost {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, AnyError> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}

/// The same as [`AutoSubmitted`], for Microsoft Exchange.
#[derive(Clone, Debug)]
struct AutoResponseSuppress;

impl Header for AutoResponseSuppress {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Auto-Response-Suppress")
    }

    fn parse(_: &str) -> Result<Self, AnyError> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "All".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notification::Letter;

    fn mail(unsubscribe: Option<Unsubscribe>) -> Mail {
        Mail {
            to: "ada@example.com".to_owned(),
            name: Some("Ada, \"Countess\"".to_owned()),
            message_id: "dlv_1".to_owned(),
            letter: Letter {
                subject: "Das Guthaben wird knapp: ü".to_owned(),
                text: "Text".to_owned(),
                html: "<p>HTML</p>".to_owned(),
            },
            thread: Some("thread.acc_1.low_balance".to_owned()),
            unsubscribe,
        }
    }

    #[test]
    fn a_mail_has_a_stable_id_both_bodies_and_the_way_out_where_there_is_one() {
        let sender = Sender::parse("Ledgerbell <credits@bell.example>").expect("an address");
        let text =
            |mail: &Mail| String::from_utf8(sender.message(mail).expect("a message").formatted()).expect("ASCII");
        let page = || Unsubscribe::Page("https://app.example/settings".to_owned());
        let with = text(&mail(Some(page())));
        for expected in [
            "Message-ID: <dlv_1@bell.example>",
            "List-Unsubscribe: <https://app.example/settings>",
            "Auto-Submitted: auto-generated",
            "X-Auto-Response-Suppress: All",
            "References: <thread.acc_1.low_balance@bell.example>",
            "In-Reply-To: <thread.acc_1.low_balance@bell.example>",
            "From: Ledgerbell <credits@bell.example>",
            "text/plain",
            "text/html",
        ] {
            assert!(with.contains(expected), "{expected} in {with}");
        }
        assert!(!with.contains("List-Unsubscribe-Post"));
        assert!(!text(&mail(None)).contains("List-Unsubscribe"));
        let one_click = Unsubscribe::OneClick("https://bell.example/unsubscribe?token=x".to_owned());
        let with = text(&mail(Some(one_click)));
        for expected in [
            "List-Unsubscribe: <https://bell.example/unsubscribe?token=x>",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        ] {
            assert!(with.contains(expected), "{expected} in {with}");
        }
    }

    #[test]
    fn no_subject_begins_another_header() {
        let sender = Sender::parse("credits@bell.example").expect("an address");
        let mut mail = mail(None);
        mail.letter.subject = "Low (Ada\r\nBcc: all@example.com)\u{2028}X: y".to_owned();
        let text = String::from_utf8(sender.message(&mail).expect("a message").formatted()).expect("ASCII");
        let (head, _) = text.split_once("\r\n\r\n").expect("a body");
        let names = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
        let names: Vec<&str> = names
            .filter_map(|line| line.split_once(':').map(|(name, _)| name))
            .collect();
        assert!(!names.contains(&"Bcc") && !names.contains(&"X"), "{head}");
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
