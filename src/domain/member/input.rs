//! Texts and numbers from outside, checked before any lock is taken.

use crate::domain::fault::InvalidInput;

use super::model::{MAX_SESSION_GRACE_HOURS, NewMember};
use crate::primitives::ids::resembles_id;
use crate::primitives::line;
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::skeleton;

const MAX_NAME_CHARS: usize = 200;
/// Names of actors that are neither a member nor an API key.
const RESERVED_LABELS: [&str; 2] = ["Ledgerbell", "Payment gateway"];
const MAX_EXTERNAL_ID_CHARS: usize = 255;

/// Checks the hours that an unresolved session keeps its hold.
pub(super) fn checked_grace_hours(hours: i32) -> Result<i32, InvalidInput> {
    if (0..=MAX_SESSION_GRACE_HOURS).contains(&hours) {
        return Ok(hours);
    }
    Err(InvalidInput::new(
        "sessionGraceHours",
        format!("must be between 0 and {MAX_SESSION_GRACE_HOURS}; got {hours}"),
    ))
}

/// Returns a display name without the spaces around it: see [`line::flaw`].
pub(super) fn checked_name(field: &'static str, name: &str) -> Result<String, InvalidInput> {
    let name = name.trim();
    checked_text(field, name, MAX_NAME_CHARS)?;
    if let Some(flaw) = line::flaw(name) {
        let message = flaw.to_owned();
        return Err(InvalidInput { field, message });
    }
    Ok(name.to_owned())
}

/// A name that is shown as who did something, as [`checked_name`], and unlike what Ledgerbell and the payment gateway are called
/// there: an API key of such a name would write lines of the log that seem to be theirs.
pub(in crate::domain) fn checked_label(field: &'static str, name: &str) -> Result<String, InvalidInput> {
    let name = checked_name(field, name)?;
    let looks = looks_of(&name);
    match RESERVED_LABELS
        .iter()
        .find(|label| !looks_of(label).is_disjoint(&looks))
    {
        Some(label) => Err(InvalidInput::new(
            field,
            format!("must not look like \"{label}\", which is the label of entries that no member or API key caused"),
        )),
        None => Ok(name),
    }
}

/// Returns the visual forms of a name, ignoring case, spaces and punctuation. Letters of other scripts become those that they
/// resemble. Computed twice, because a capital may resemble another letter than its lower case does.
fn looks_of(name: &str) -> BTreeSet<String> {
    let plain = |text: &str| -> String {
        let looks = skeleton(text).collect::<String>().to_lowercase();
        // The lower case of a capital may resemble another letter again.
        skeleton(&looks).filter(|letter| letter.is_alphanumeric()).collect()
    };
    let name: String = name.nfkc().collect();
    [plain(&name), plain(&name.to_lowercase())].into()
}

/// Checks the platform's own id of an object, and returns it unchanged.
pub(super) fn checked_external_id(field: &'static str, id: &str) -> Result<String, InvalidInput> {
    if id.trim().is_empty() && !id.is_empty() {
        return Err(InvalidInput::new(field, "must not be blank"));
    }
    checked_text(field, id, MAX_EXTERNAL_ID_CHARS)?;
    if resembles_id(id) {
        return Err(InvalidInput::new(
            field,
            "must not have the form of an id of this service, such as mem_…",
        ));
    }
    Ok(id.to_owned())
}

fn checked_text(field: &'static str, text: &str, most: usize) -> Result<(), InvalidInput> {
    let invalid = |message: String| Err(InvalidInput { field, message });
    // Counting stops at the bound, because a text may be as long as a request.
    let chars = text.chars().take(most + 1).count();
    if chars == 0 || chars > most {
        return invalid(format!("must have 1 to {most} characters"));
    }
    if text.chars().any(char::is_control) {
        return invalid("must not contain control characters".to_owned());
    }
    Ok(())
}

/// Checks an e-mail address: RFC 5321 without quoted local parts, address literals and comments.
pub(super) fn checked_email(field: &'static str, email: &str) -> Result<String, InvalidInput> {
    if is_email(email) {
        return Ok(email.to_owned());
    }
    Err(InvalidInput::new(
        field,
        "must be an e-mail address such as ada@example.com",
    ))
}

/// Checks a language: a BCP 47 tag of plain parts, such as `de` or `pt-BR`.
pub(super) fn checked_locale(field: &'static str, locale: &str) -> Result<String, InvalidInput> {
    let mut parts = locale.split('-');
    let is_language = parts
        .next()
        .is_some_and(|part| (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_language && locale.len() <= 35 && parts.all(is_part) {
        return Ok(locale.to_owned());
    }
    Err(InvalidInput::new(
        field,
        "must be a language tag such as en, de or pt-BR",
    ))
}

/// Refuses a vouch without an address. A vouch is for the address in the same input: another one may have been entered since the
/// platform last read it.
pub(super) fn check_vouch(field: &'static str, is_vouched: bool, has_email: bool) -> Result<(), InvalidInput> {
    if is_vouched && !has_email {
        return Err(InvalidInput::new(
            field,
            "vouches for the email of the same input: send email too",
        ));
    }
    Ok(())
}

fn is_email(email: &str) -> bool {
    const LONGEST: usize = 254;
    let Some((local, domain)) = email.rsplit_once('@') else {
        return false;
    };
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_label = domain.rsplit('.').next().unwrap_or_default();
    email.len() <= LONGEST
        && local.len() <= 64
        && local.split('.').all(is_atom)
        && domain.contains('.')
        && domain.split('.').all(is_label)
        && last_label.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Returns this member with its texts checked and trimmed. `fields` are the paths of external id, name, e-mail, whether that is verified, and
/// locale.
pub(super) fn checked_member(new: NewMember, fields: [&'static str; 5]) -> Result<NewMember, InvalidInput> {
    let [external_id, name, email, email_verified, locale] = fields;
    check_vouch(email_verified, new.email_verified, new.email.is_some())?;
    Ok(NewMember {
        external_id: new
            .external_id
            .map(|id| checked_external_id(external_id, &id))
            .transpose()?,
        name: checked_label(name, &new.name)?,
        email: new.email.map(|address| checked_email(email, &address)).transpose()?,
        email_verified: new.email_verified,
        role: new.role,
        locale: new.locale.map(|tag| checked_locale(locale, &tag)).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_like_ledgerbell_or_the_gateway_are_refused() {
        let taken = [
            "Ledgerbell",
            "LEDGERBELL",
            " ledger bell ",
            "Ledger-Bell",
            "LedgerbeII",
            "L\u{435}dgerb\u{435}ll",
            "Ledger\u{200b}bell",
            "\u{ff2c}edgerbell",
            "Payment gateway",
            "payment  GATEWAY",
            "PaymentGateway",
            "P\u{430}yment g\u{430}teway",
            "Payment\u{a0}gateway.",
        ];
        for name in taken {
            assert!(checked_label("name", name).is_err(), "{name}");
        }
        for name in [
            "Ledger",
            "Bell",
            "Booking platform",
            "Payments",
            "Gateway of Payment Ltd",
            "Анна",
            "李",
        ] {
            assert_eq!(checked_label("name", name).as_deref(), Ok(name));
        }
    }

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(checked_name("name", "  Ada  "), Ok("Ada".to_owned()));
        assert_eq!(checked_name("name", &"é".repeat(200)).map(|name| name.len()), Ok(400));
        for name in [
            "",
            "   ",
            "a\nb",
            "a\0",
            &"é".repeat(201),
            "see https://evil.example",
            "a\u{202E}b",
        ] {
            assert!(checked_name("name", name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn external_ids_are_kept_as_they_are() {
        assert_eq!(checked_external_id("externalId", " x "), Ok(" x ".to_owned()));
        for id in ["", " ", "a\tb", &"x".repeat(256)] {
            assert!(checked_external_id("externalId", id).is_err(), "{id:?}");
        }
    }

    #[test]
    fn addresses_that_mail_cannot_be_sent_to_are_refused() {
        let long_label = format!("a@{}.example", "b".repeat(64));
        let long_local = format!("{}@example.com", "a".repeat(65));
        for email in [
            "ada@example.com",
            "a.b+c@sub.example.co",
            "o'hara@xn--bcher-kva.example",
        ] {
            assert!(is_email(email), "{email}");
        }
        for email in [
            "",
            "@",
            "ada",
            "ada@",
            "@example.com",
            "ada@localhost",
            "ada@example..com",
            ".ada@example.com",
            "a..b@example.com",
            "ada@-example.com",
            "ada@example.com ",
            "ada lovelace@example.com",
            "ada@127.0.0.1",
            "ada@example.com\r\nBcc: all@example.com",
            "a@b@example.com",
            "\"ada\"@example.com",
            &long_label,
            &long_local,
        ] {
            assert!(!is_email(email), "{email:?}");
        }
    }

    #[test]
    fn a_locale_is_a_language_tag() {
        for locale in ["en", "de-AT", "pt-BR", "zh-Hant-TW", "gsw"] {
            assert_eq!(checked_locale("locale", locale).as_deref(), Ok(locale));
        }
        for locale in ["", "e", "english", "de_DE", "-de", "de-", "d1", "../de", "de-ü"] {
            assert!(checked_locale("locale", locale).is_err(), "{locale:?}");
        }
    }
}
