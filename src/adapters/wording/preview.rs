//! Renders every mail in every language from examples: to find broken templates at the start, and to show the mails to a
//! person.

use crate::domain::fault::Fault;
use crate::domain::notification::model::{Alert, AlertKind, Channel, Facts, MailFailure};
use crate::domain::notification::{AlertMail, CodeSent, Letter, Links, Names, Reader, Wording};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::{AccountId, AlertId};

use super::{TemplateError, Templates};

/// The recipient of the examples.
const NAME: &str = "Ada Example";
/// The time of the events in the examples: an evening in March 2026.
const AT: i64 = 1_774_031_400_000;

/// An example of one mail.
#[derive(Clone, Debug)]
pub struct Preview {
    /// `<kind of mail>.<language>`.
    pub name: String,
    /// The rendered mail.
    pub letter: Letter,
}

impl Templates {
    /// Renders an alert of every kind, a mail with several alerts, and a code. Renders each in every language, for a member of
    /// a team.
    pub fn previews(&self, team: &str, links: &Links) -> Result<Vec<Preview>, TemplateError> {
        let mut previews = Vec::new();
        for language in self.languages.keys() {
            let reader = Reader {
                locale: language.clone(),
                timezone: chrono_tz::Tz::Europe__Berlin,
            };
            let failed = |fault: Fault| TemplateError::new(language, &fault);
            let mut add = |what: &str, letter: Letter| {
                let name = format!("{what}.{language}");
                previews.push(Preview { name, letter });
            };
            let names = Names {
                team,
                member: Some(NAME),
            };
            let outside = Names { team, member: None };
            let mail = |alerts: &[Alert], names: Option<Names<'_>>| {
                let mail = AlertMail {
                    names,
                    alerts: alerts.iter().map(|alert| (alert, links.action(alert))).collect(),
                    unsubscribe: unsubscribe(alerts, links),
                };
                self.alert_mail(&mail, &reader).map_err(failed)
            };
            for kind in AlertKind::ALL {
                add(&kind.as_str().to_lowercase(), mail(&[example(*kind)], Some(names))?);
                let stranger = mail(&[example(*kind).without_texts()], None)?;
                add(&format!("{}.stranger", kind.as_str().to_lowercase()), stranger);
                if kind.is_for_addresses() {
                    let address = mail(&[example(*kind).without_texts()], Some(outside))?;
                    add(&format!("{}.address", kind.as_str().to_lowercase()), address);
                }
            }
            let several = [
                AlertKind::TopUpSucceeded,
                AlertKind::LowBalance,
                AlertKind::CardExpiring,
            ];
            add("digest", mail(&several.map(example), Some(names))?);
            let sent = CodeSent {
                code: "01234567",
                is_to_member: true,
                link: None,
                minutes: 15,
            };
            add("code", self.code_sent(&sent, &reader).map_err(failed)?);
            let to_address = CodeSent {
                is_to_member: false,
                link: links.settings(),
                ..sent
            };
            add("address_code", self.code_sent(&to_address, &reader).map_err(failed)?);
            add("address_changed", self.address_changed(&reader).map_err(failed)?);
        }
        Ok(previews)
    }
}

/// Returns the link that disables such mail, if the mail can be disabled.
fn unsubscribe(alerts: &[Alert], links: &Links) -> Option<String> {
    let is_optional = |alert: &Alert| alert.kind.is_optional(Channel::Email);
    alerts.iter().all(is_optional).then(|| links.settings()).flatten()
}

/// Returns an alert with all facts.
fn example(kind: AlertKind) -> Alert {
    let available = match kind {
        AlertKind::LowBalance => 485_000,
        AlertKind::BalanceDepleted => -125_000,
        _ => 12_345_500,
    };
    let reason = match kind {
        AlertKind::ContactBouncing => MailFailure::NoSuchMailbox.in_words(),
        _ => "Invoice 2026-17 is not paid.",
    };
    let code = match kind {
        AlertKind::TopUpFailed => Some("INSUFFICIENT_FUNDS"),
        AlertKind::AutoTopUpPaused => Some("REPEATED_DECLINES"),
        AlertKind::CapReached => Some("CAP_REACHED"),
        AlertKind::ApiKeyChanged => Some("CREATED"),
        AlertKind::WebhookEndpointDisabled => Some("FAILING"),
        AlertKind::ContactBouncing => Some(MailFailure::NoSuchMailbox.as_str()),
        _ => None,
    };
    let name = if kind == AlertKind::CardExpiring { "4242" } else { NAME };
    Alert {
        id: AlertId::from_uuid(uuid::Uuid::nil()),
        account_id: AccountId::PLATFORM,
        kind,
        subject: None,
        facts: Facts {
            available: Some(available),
            credits: Some(12_345_500),
            title: Some("Coaching with Grace".to_owned()),
            reason: Some(reason.to_owned()),
            code: code.map(str::to_owned),
            name: Some(name.to_owned()),
            at: Some(AT),
        },
        entry_id: None,
        session_id: None,
        top_up_id: None,
        raised_at: Timestamp::MIN,
        resolved_at: None,
    }
}
