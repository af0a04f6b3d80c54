//! How alerts are put into words: the port.

use chrono_tz::Tz;

use crate::domain::fault::Fault;

use super::confirming::Confirmation;
use super::model::Alert;
use super::unsubscribing::Offer;
use crate::primitives::credits::Credits;

/// For whom something is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The language, as a BCP 47 tag; where it is not spoken, the nearest that is.
    pub locale: String,
    /// The zone that times are written in.
    pub timezone: Tz,
}

impl Default for Reader {
    /// Nobody in particular: English and UTC.
    fn default() -> Self {
        Self {
            locale: "en".to_owned(),
            timezone: Tz::UTC,
        }
    }
}

/// An alert in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// In a line.
    pub title: String,
    /// In a sentence or two.
    pub body: String,
    /// What to write on the button; `None` where nothing can be done.
    pub action: Option<String>,
}

/// What a mail says, but for whom it is to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// In a line.
    pub subject: String,
    /// For those who read text.
    pub text: String,
    /// For those who read HTML.
    pub html: String,
}

/// What a mail about alerts is made of. Several of them make a digest.
#[derive(Clone, Debug)]
pub struct Told<'a> {
    /// What the team and the member are called; `None` where the reader may be a stranger, who reads no text of customers.
    pub names: Option<Names<'a>>,
    /// The alerts, the oldest first, each with where to act on it.
    pub alerts: Vec<(&'a Alert, Option<String>)>,
    /// Where to get no more of these; `None` where they cannot be switched off.
    pub unsubscribe: Option<String>,
}

/// What a team and a member of it are called.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The team.
    pub team: &'a str,
    /// The member; `None` where the address is no member's.
    pub member: Option<&'a str>,
}

/// What a mail with a code is made of. It names nobody: the address may be a stranger's.
#[derive(Clone, Debug)]
pub struct CodeSent<'a> {
    /// The code.
    pub code: &'a str,
    /// Whether a member gets it, who can enter it.
    pub is_to_member: bool,
    /// Where the address is confirmed without the code.
    pub link: Option<String>,
    /// For how many minutes it is good.
    pub minutes: i64,
}

/// What is said of a refusal.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// Its code.
    pub code: &'a str,
    /// In English, with all its figures.
    pub message: &'a str,
    /// The field of the input that is to blame, as a path with dots.
    pub field: Option<&'a str>,
    /// How many credits are missing.
    pub missing: Option<Credits>,
    /// When to try again.
    pub retry_after_seconds: Option<i32>,
}

/// Puts things into words. A fault is a template that is broken.
pub trait Wording: Send + Sync + 'static {
    /// An alert, for a screen or within a mail.
    fn alert(&self, alert: &Alert, reader: &Reader) -> Result<Words, Fault>;

    /// A mail about alerts.
    fn told(&self, told: &Told<'_>, reader: &Reader) -> Result<Letter, Fault>;

    /// Whether a locale is spoken: itself, or its language without the region.
    fn speaks(&self, locale: &str) -> bool;

    /// A text of ours, from English, with the figures that are in it. What begins with such a text, as far as its colon, is put into
    /// words so far. English where the language has no words for it.
    fn fixed(&self, english: &str, locale: &str) -> String;

    /// Why a mutation was refused: as the English text says it, else by the code of the refusal. `None` where the language has neither.
    fn refusal(&self, refused: &Refused<'_>, locale: &str) -> Result<Option<String>, Fault>;

    /// A mail with a code that shows, once it comes back, that mail arrives.
    fn code_sent(&self, sent: &CodeSent<'_>, reader: &Reader) -> Result<Letter, Fault>;

    /// A mail to an address to which a contact's mail no longer goes.
    fn address_changed(&self, reader: &Reader) -> Result<Letter, Fault>;

    /// The page of a link to unsubscribe, in HTML.
    fn unsubscribe_page(&self, offer: &Offer) -> Result<String, Fault>;

    /// The page of a link to confirm an address, in HTML.
    fn confirmation_page(&self, confirmation: &Confirmation) -> Result<String, Fault>;
}
