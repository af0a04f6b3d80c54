//! Port for the texts of alerts.

use chrono_tz::Tz;

use crate::domain::fault::Fault;

use super::confirming::Confirmation;
use super::model::Alert;
use super::unsubscribing::Offer;
use crate::primitives::credits::Credits;

/// The reader of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The language, as a BCP 47 tag. An unknown one is replaced by the nearest that exists.
    pub locale: String,
    /// The zone that times are written in.
    pub timezone: Tz,
}

impl Default for Reader {
    /// Without a known reader: English and UTC.
    fn default() -> Self {
        Self {
            locale: "en".to_owned(),
            timezone: Tz::UTC,
        }
    }
}

/// The texts of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub title: String,
    /// One or two sentences.
    pub body: String,
    /// The label of the button; `None` where no action is possible.
    pub action: Option<String>,
}

/// The content of a mail, without its recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// The plain-text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// The contents of a mail about alerts. Several of them make a digest.
#[derive(Clone, Debug)]
pub struct AlertMail<'a> {
    /// Names of the team and the member; `None` where the reader may be a stranger, who reads no text of customers.
    pub names: Option<Names<'a>>,
    /// The alerts, oldest first, each with the link where to act on it.
    pub alerts: Vec<(&'a Alert, Option<String>)>,
    /// The link that unsubscribes; `None` where the kinds cannot be switched off.
    pub unsubscribe: Option<String>,
}

/// Names of a team and one of its members.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The name of the team.
    pub team: &'a str,
    /// The name of the member; `None` for a notification address.
    pub member: Option<&'a str>,
}

/// The contents of a mail with a code. It contains no names, because the address may belong to a stranger.
#[derive(Clone, Debug)]
pub struct CodeSent<'a> {
    /// The code that the recipient enters.
    pub code: &'a str,
    /// Whether the recipient is a member, who can enter the code.
    pub is_to_member: bool,
    /// The link that confirms the address without the code.
    pub link: Option<String>,
    /// Minutes until the code expires.
    pub minutes: i64,
}

/// A refusal to be put into words.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// The code of the refusal.
    pub code: &'a str,
    /// The message in English, with all its figures.
    pub message: &'a str,
    /// The invalid field of the input, as a path with dots.
    pub field: Option<&'a str>,
    /// Number of credits that are missing.
    pub missing: Option<Credits>,
    /// Seconds until a retry makes sense.
    pub retry_after_seconds: Option<i32>,
}

/// Puts things into words. A fault means that a template is broken.
pub trait Wording: Send + Sync + 'static {
    /// Returns the texts of an alert, for a screen or within a mail.
    fn alert(&self, alert: &Alert, reader: &Reader) -> Result<Words, Fault>;

    /// Returns a mail about alerts.
    fn alert_mail(&self, mail: &AlertMail<'_>, reader: &Reader) -> Result<Letter, Fault>;

    /// Whether texts exist in a locale: in itself, or in its language without the region.
    fn speaks(&self, locale: &str) -> bool;

    /// Translates a fixed English text of this product, with the figures in it. If only the part up to a colon is known, that part
    /// is translated. Returns English where the language has no translation.
    fn fixed(&self, english: &str, locale: &str) -> String;

    /// Returns why a mutation was refused: by the translation of the English text, else by the code of the refusal. `None` where the
    /// language has neither.
    fn refusal(&self, refused: &Refused<'_>, locale: &str) -> Result<Option<String>, Fault>;

    /// Returns a mail with a code. Entering the code shows that mail arrives.
    fn code_sent(&self, sent: &CodeSent<'_>, reader: &Reader) -> Result<Letter, Fault>;

    /// Returns a mail to the previous address of a contact.
    fn address_changed(&self, reader: &Reader) -> Result<Letter, Fault>;

    /// Returns the page of a link that unsubscribes, in HTML.
    fn unsubscribe_page(&self, offer: &Offer) -> Result<String, Fault>;

    /// Returns the page of a link that confirms an address, in HTML.
    fn confirmation_page(&self, confirmation: &Confirmation) -> Result<String, Fault>;
}
