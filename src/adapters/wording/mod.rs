//! Writes the texts of alerts from templates: the built-in templates, or those in a folder of the operator.
//!
//! A language is a file `<language>.toml`; `mail.txt` and `mail.html` are the layout of all mails. Called by the domain through
//! its port. Every template is rendered once when it is loaded, so that a broken template is found when the server starts.

mod findings;
mod fixed;
mod language;
mod preview;

use std::collections::BTreeMap;
use std::path::Path;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

use crate::domain::fault::Fault;
use crate::domain::notification::model::{Alert, AlertKind};
use crate::domain::notification::{
    AlertMail, CodeSent, Confirmation, ConfirmationState, Letter, Links, Offer, OfferState, Reader, Refused, Wording,
    Words,
};
use language::Language;
pub use preview::Preview;

/// The language that is used if no other matches.
const FALLBACK: &str = "en";
const BUILT_IN: [(&str, &str); 2] = [("en", include_str!("en.toml")), ("de", include_str!("de.toml"))];
const HTML_FORM: &str = "mail.html";
/// The page that a link to unsubscribe opens.
const UNSUBSCRIBE_PAGE: &str = "unsubscribe.html";
/// The page of a link to confirm an address.
const CONFIRMATION_PAGE: &str = "confirm.html";
const FORMS: [(&str, &str); 4] = [
    ("mail.txt", include_str!("mail.txt")),
    (HTML_FORM, include_str!("mail.html")),
    (UNSUBSCRIBE_PAGE, include_str!("unsubscribe.html")),
    (CONFIRMATION_PAGE, include_str!("confirm.html")),
];

/// Why the templates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the template {name}: {reason}")]
pub struct TemplateError {
    /// The name of the file.
    name: String,
    /// The error.
    reason: String,
}

impl TemplateError {
    fn new(name: &str, reason: &impl ToString) -> Self {
        Self {
            name: name.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// The text of each template by its name.
type Sources = BTreeMap<String, String>;

/// The templates of all languages.
pub struct Templates {
    environment: Environment<'static>,
    languages: BTreeMap<String, Language>,
    fallback: Language,
}

/// Implements the filter `plural`, as in `{{ credits }} {{ credits | plural('credit', 'credits') }}`. Returns the first word
/// for exactly one and the second word otherwise. Also accepts a formatted amount.
fn plural(value: &Value, one: &str, other: &str) -> String {
    let is_one = value
        .as_str()
        .map_or_else(|| value.as_i64() == Some(1), |text| text == "1");
    if is_one { one } else { other }.to_owned()
}

/// One alert in a mail.
#[derive(Debug, Serialize)]
struct Item {
    title: String,
    body: String,
    severity: &'static str,
    action: Option<String>,
    url: Option<String>,
    code: Option<String>,
}

/// The values for the layout of mails.
#[derive(Debug, Serialize)]
struct Filling<'a> {
    language: &'a str,
    subject: &'a str,
    team: Option<&'a str>,
    greeting: String,
    items: &'a [Item],
    footer: Option<String>,
    /// The text and the target of the link that disables such mail.
    unsubscribe: Option<String>,
    unsubscribe_url: Option<&'a str>,
}

impl Templates {
    /// Loads the built-in templates. Templates in `folder` replace them or add a language.
    pub fn load(folder: Option<&Path>) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        // A fact that an alert lacks is left out of its text. A strict mode would lose the alert.
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.add_filter("plural", plural);
        environment.set_auto_escape_callback(|name| {
            if [HTML_FORM, UNSUBSCRIBE_PAGE, CONFIRMATION_PAGE].contains(&name) {
                AutoEscape::Html
            } else {
                AutoEscape::None
            }
        });
        let mut templates = Self {
            environment,
            languages: BTreeMap::new(),
            fallback: Language::default(),
        };
        let mut sources = Sources::new();
        for (name, text) in FORMS {
            sources.insert(name.to_owned(), text.to_owned());
        }
        for (name, text) in BUILT_IN {
            templates.add_language(&mut sources, name, text)?;
        }
        if let Some(folder) = folder {
            templates.add_folder(&mut sources, folder)?;
        }
        templates.compile(sources)?;
        templates.try_all()?;
        // A compiled template takes kilobytes, and most are rarely used: each is compiled again when it is used first.
        templates.environment.clear_templates();
        Ok(templates)
    }

    fn add_folder(&mut self, sources: &mut Sources, folder: &Path) -> Result<(), TemplateError> {
        let shown = folder.display().to_string();
        let files = std::fs::read_dir(folder).map_err(|error| TemplateError::new(&shown, &error))?;
        for file in files {
            let path = file.map_err(|error| TemplateError::new(&shown, &error))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_form = FORMS.iter().any(|(form, _)| *form == name);
            let language = name.strip_suffix(".toml").map(str::to_owned);
            if !is_form && language.is_none() {
                continue;
            }
            let text = std::fs::read_to_string(&path).map_err(|error| TemplateError::new(&name, &error))?;
            match language {
                Some(language) => self.add_language(sources, &language.to_lowercase(), &text)?,
                None => drop(sources.insert(name, text)),
            }
        }
        Ok(())
    }

    fn add_language(&mut self, sources: &mut Sources, name: &str, text: &str) -> Result<(), TemplateError> {
        let language: Language = toml::from_str(text).map_err(|error| TemplateError::new(name, &error))?;
        fixed::check_details(name, &language)?;
        for (key, text) in language.texts() {
            sources.insert(format!("{name}/{key}"), text.to_owned());
        }
        if name == FALLBACK {
            self.fallback = language.clone();
        }
        self.languages.insert(name.to_owned(), language);
        Ok(())
    }

    fn compile(&mut self, sources: Sources) -> Result<(), TemplateError> {
        let names: Vec<String> = sources.keys().cloned().collect();
        self.environment.set_loader(move |name| Ok(sources.get(name).cloned()));
        for name in names {
            let compiled = self.environment.get_template(&name);
            compiled.map_err(|error| TemplateError::new(&name, &error))?;
        }
        Ok(())
    }

    /// Renders every template once.
    fn try_all(&self) -> Result<(), TemplateError> {
        self.previews("Team", &Links::default())?;
        self.try_pages()?;
        self.check_findings()
    }

    /// Renders the pages of links in each language and state.
    fn try_pages(&self) -> Result<(), TemplateError> {
        for language in self.languages.keys() {
            let states = [OfferState::Open, OfferState::Done, OfferState::Gone];
            for (state, is_member) in states.into_iter().flat_map(|state| [(state, true), (state, false)]) {
                let offer = Offer {
                    kinds: [AlertKind::LowBalance].into(),
                    locale: language.clone(),
                    is_member,
                    state,
                };
                let page = self.unsubscribe_page(&offer);
                page.map_err(|fault| TemplateError::new(UNSUBSCRIBE_PAGE, &fault))?;
            }
            for state in [
                ConfirmationState::Open,
                ConfirmationState::Done,
                ConfirmationState::Gone,
            ] {
                let locale = language.clone();
                let page = self.confirmation_page(&Confirmation { locale, state });
                page.map_err(|fault| TemplateError::new(CONFIRMATION_PAGE, &fault))?;
            }
        }
        Ok(())
    }

    /// Returns the language closest to a locale: the locale itself, the locale without its region, or English.
    fn language(&self, locale: &str) -> (&str, &Language) {
        let locale = locale.to_lowercase();
        let base = locale.split('-').next().unwrap_or_default();
        let found = [locale.as_str(), base]
            .into_iter()
            .find_map(|name| self.languages.get_key_value(name));
        found.map_or((FALLBACK, &self.fallback), |(name, language)| (name, language))
    }

    fn render(&self, name: &str, context: impl Into<Value>) -> Result<String, Fault> {
        let template = self.environment.get_template(name);
        let rendered = template.and_then(|template| template.render(context));
        rendered.map_err(|error| Fault::Internal(format!("the template {name}: {error:#}")))
    }

    /// Returns a text of mails; in English if the operator's language does not have it.
    fn mail_text(&self, language: &str, key: &str, context: &Value) -> Result<String, Fault> {
        let name = format!("{language}/{key}");
        if self.environment.get_template(&name).is_ok() {
            return self.render(&name, context);
        }
        self.render(&format!("{FALLBACK}/{key}"), context)
    }

    fn render_instant(&self, text: &str, context: Value) -> Result<String, Fault> {
        self.environment
            .render_str(text, context)
            .map_err(|error| Fault::Internal(error.to_string()))
    }

    fn letter(&self, filling: &Filling<'_>) -> Result<Letter, Fault> {
        let (text, html) = (
            self.render("mail.txt", Serde(filling))?,
            self.render(HTML_FORM, Serde(filling))?,
        );
        Ok(Letter {
            // A line break would begin another header.
            subject: filling.subject.replace(['\r', '\n'], " "),
            text,
            html,
        })
    }
}

impl Wording for Templates {
    fn alert(&self, alert: &Alert, reader: &Reader) -> Result<Words, Fault> {
        let (name, language) = self.language(&reader.locale);
        let facts = language.facts(alert, reader.timezone, |text, context| {
            self.render_instant(text, context)
        })?;
        let written = |part: &str| self.render(&format!("{name}/{}.{part}", alert.kind.as_str()), Serde(&facts));
        Ok(Words {
            title: written("title")?,
            body: written("body")?,
            action: language.has_action(alert.kind).then(|| written("action")).transpose()?,
        })
    }

    fn speaks(&self, locale: &str) -> bool {
        let (name, _) = self.language(locale);
        name != FALLBACK || locale.to_lowercase().split('-').next() == Some(FALLBACK)
    }

    fn fixed(&self, english: &str, locale: &str) -> String {
        self.fixed_text(english, locale)
    }

    fn refusal(&self, refused: &Refused<'_>, locale: &str) -> Result<Option<String>, Fault> {
        self.refusal_text(refused, locale)
    }

    fn alert_mail(&self, mail: &AlertMail<'_>, reader: &Reader) -> Result<Letter, Fault> {
        let (name, _) = self.language(&reader.locale);
        let mut items = Vec::with_capacity(mail.alerts.len());
        for (alert, url) in &mail.alerts {
            let words = self.alert(alert, reader)?;
            items.push(Item {
                title: words.title,
                body: words.body,
                severity: alert.severity().as_str(),
                url: url.clone().filter(|_| words.action.is_some()),
                action: words.action,
                code: None,
            });
        }
        let (member, team) = (
            mail.names.and_then(|names| names.member),
            mail.names.map(|names| names.team),
        );
        let context = minijinja::context! { name => member, team => team, count => items.len() };
        // A mail to an unverified address contains no names.
        let neutral = if mail.names.is_some() { "" } else { "neutral_" };
        let written = |part: &str| self.mail_text(name, &format!("{neutral}{part}"), &context);
        let subject = match (items.as_slice(), team) {
            ([item], None) => item.title.clone(),
            ([item], Some(team)) => {
                let context = minijinja::context! { title => &item.title, team => team };
                self.mail_text(name, "subject", &context)?
            }
            _ => written("digest_subject")?,
        };
        let unsubscribe = mail.unsubscribe.as_ref();
        let unsubscribe = unsubscribe.map(|_| self.mail_text(name, "unsubscribe", &context));
        // Who reads at an address that is no member's has no name.
        let is_address = team.is_some() && member.is_none();
        let (greeting, footer) = if is_address {
            let written = |key: &str| self.mail_text(name, key, &context);
            (written("neutral_greeting")?, written("address_footer")?)
        } else {
            (written("greeting")?, written("footer")?)
        };
        let filling = Filling {
            language: name,
            subject: &subject,
            team,
            greeting,
            items: &items,
            footer: Some(footer),
            unsubscribe: unsubscribe.transpose()?,
            unsubscribe_url: mail.unsubscribe.as_deref(),
        };
        self.letter(&filling)
    }

    fn code_sent(&self, sent: &CodeSent<'_>, reader: &Reader) -> Result<Letter, Fault> {
        let (name, _) = self.language(&reader.locale);
        let context = minijinja::context! { code => sent.code, minutes => sent.minutes, link => &sent.link };
        let prefix = if sent.is_to_member { "" } else { "address_" };
        let text = |key: &str| self.mail_text(name, &format!("{prefix}{key}"), &context);
        let subject = text("code_subject")?;
        let action = sent.link.as_ref().map(|_| text("code_action"));
        let item = Item {
            title: subject.clone(),
            body: text("code_body")?,
            severity: "INFO",
            action: action.transpose()?,
            url: sent.link.clone(),
            code: Some(sent.code.to_owned()),
        };
        let filling = Filling {
            language: name,
            subject: &subject,
            team: None,
            greeting: self.mail_text(name, "neutral_greeting", &context)?,
            items: &[item],
            footer: None,
            unsubscribe: None,
            unsubscribe_url: None,
        };
        self.letter(&filling)
    }

    fn address_changed(&self, reader: &Reader) -> Result<Letter, Fault> {
        let (name, _) = self.language(&reader.locale);
        let text = |key: &str| self.mail_text(name, key, &minijinja::context! {});
        let subject = text("address_changed_subject")?;
        let item = Item {
            title: subject.clone(),
            body: text("address_changed_body")?,
            severity: "WARNING",
            action: None,
            url: None,
            code: None,
        };
        self.letter(&Filling {
            language: name,
            subject: &subject,
            team: None,
            greeting: text("neutral_greeting")?,
            items: &[item],
            footer: None,
            unsubscribe: None,
            unsubscribe_url: None,
        })
    }

    fn unsubscribe_page(&self, offer: &Offer) -> Result<String, Fault> {
        let (name, _) = self.language(&offer.locale);
        let text = |key: &str| self.mail_text(name, &format!("unsubscribe_{key}"), &minijinja::context! {});
        let (state, button) = match offer.state {
            OfferState::Open => ("open", Some(text("button")?)),
            OfferState::Done => ("done", None),
            OfferState::Gone => ("gone", None),
        };
        // Who reads at an address that is no member's sees nothing in the app.
        let body = if offer.is_member || offer.state == OfferState::Gone {
            format!("{state}_body")
        } else {
            format!("address_{state}_body")
        };
        let kinds = offer.kinds.iter().filter(|_| offer.state != OfferState::Gone);
        let kinds: Vec<String> = kinds.map(|kind| self.fixed_text(kind.label(), &offer.locale)).collect();
        let page = minijinja::context! {
            language => name,
            title => text(&format!("{state}_title"))?,
            body => text(&body)?,
            kinds => kinds,
            button => button,
        };
        self.render(UNSUBSCRIBE_PAGE, page)
    }

    fn confirmation_page(&self, confirmation: &Confirmation) -> Result<String, Fault> {
        let (name, _) = self.language(&confirmation.locale);
        let text = |key: &str| self.mail_text(name, &format!("confirm_{key}"), &minijinja::context! {});
        let (state, button) = match confirmation.state {
            ConfirmationState::Open => ("open", Some(text("button")?)),
            ConfirmationState::Done => ("done", None),
            ConfirmationState::Gone => ("gone", None),
        };
        let page = minijinja::context! {
            language => name,
            title => text(&format!("{state}_title"))?,
            body => text(&format!("{state}_body"))?,
            button => button,
        };
        self.render(CONFIRMATION_PAGE, page)
    }
}
