//! The allowed values of settings. One declaration explains them, checks a text, and makes its value.

use std::fmt;
use std::str::FromStr;

use toml::Value;

use crate::primitives::credits::Credits;
use crate::primitives::network::network;

pub(super) const HTTP: &[&str] = &["http://", "https://"];
/// The minimum length of a secret, in characters.
const SHORTEST_SECRET: usize = 32;
/// The maximum length of addresses, secrets and other optional texts, in bytes.
pub(super) const LONGEST_TEXT: usize = 1_000;

/// The allowed values of one setting. Its text completes "must be …".
#[derive(Clone, Copy)]
pub(super) enum Bounds {
    /// A number within these limits.
    Number { least: u64, most: u64, unit: Unit },
    /// One of these names.
    OneOf(&'static [&'static str]),
    /// One of these names, each of which is a flag.
    Switch(&'static [(&'static str, bool); 2]),
    /// A URL with one of these schemes.
    Url {
        schemes: &'static [&'static str],
        form: Form,
    },
    /// A text of a minimum length that is never shown.
    Secret { what: &'static str },
    /// A text that a function checks.
    Text {
        allowed: &'static str,
        form: Form,
        is_valid: fn(&str) -> bool,
    },
    /// A list of texts, each of which a function checks.
    List {
        allowed: &'static str,
        is_valid: fn(&str) -> bool,
    },
}

/// What a number counts.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    One,
    Seconds,
    Millis,
}

/// How a value is written in a settings file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is given: a number or a flag.
    Bare,
    Text,
    List,
    /// Never shown.
    Secret,
    /// Shown without its password.
    SecretUrl,
}

impl Bounds {
    /// Returns the value of a trimmed text. `None` if it is not allowed.
    pub(super) fn value(&self, text: &str) -> Option<Value> {
        let is_allowed = match self {
            Self::Number { least, most, unit } => {
                let number = text.parse().ok().filter(|number| (*least..=*most).contains(number))?;
                return unit.value(number);
            }
            Self::Switch(names) => {
                let (_, value) = names.iter().find(|(name, _)| *name == text)?;
                return Some((*value).into());
            }
            Self::List { is_valid, .. } => {
                let all: Option<Vec<Value>> = items(text).map(|item| is_valid(item).then(|| item.into())).collect();
                return all.map(Value::Array);
            }
            Self::OneOf(names) => names.contains(&text),
            Self::Url { schemes, .. } => is_url(text, schemes),
            Self::Secret { .. } => text.chars().count() >= SHORTEST_SECRET,
            Self::Text { is_valid, .. } => is_valid(text),
        };
        is_allowed.then(|| text.into())
    }

    pub(super) fn form(&self) -> Form {
        match self {
            Self::Number { .. } | Self::Switch([("true", _), _]) => Form::Bare,
            Self::OneOf(_) | Self::Switch(_) => Form::Text,
            Self::List { .. } => Form::List,
            Self::Secret { .. } => Form::Secret,
            Self::Url { form, .. } | Self::Text { form, .. } => *form,
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { least, most, .. } => write!(f, "a number from {least} to {most}"),
            Self::OneOf(names) => f.write_str(&either(names)),
            Self::Switch(names) => f.write_str(&either(&names.map(|(name, _)| name))),
            Self::Url { schemes, .. } => write!(f, "a URL that begins with {}", either(schemes)),
            Self::Secret { what } => write!(f, "{what}at least {SHORTEST_SECRET} characters"),
            Self::Text { allowed, .. } | Self::List { allowed, .. } => f.write_str(allowed),
        }
    }
}

/// Joins names: `a, b or c`.
fn either(names: &[&str]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => names.concat(),
    }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

impl Unit {
    /// Returns a number, or a duration as its two parts.
    fn value(self, number: u64) -> Option<Value> {
        let (secs, nanos) = match self {
            Self::One => return i64::try_from(number).ok().map(Value::Integer),
            Self::Seconds => (number, 0),
            Self::Millis => (number / 1_000, number % 1_000 * 1_000_000),
        };
        let parts = [("secs", secs), ("nanos", nanos)];
        let part = |(name, number): (&str, u64)| Some((name.to_owned(), Value::Integer(i64::try_from(number).ok()?)));
        let parts: Option<toml::Table> = parts.into_iter().map(part).collect();
        parts.map(Value::Table)
    }
}

impl Form {
    pub(super) fn show(self, text: &str) -> String {
        let quoted = |text: &str| Value::String(text.to_owned()).to_string();
        match self {
            Self::Text => quoted(text),
            Self::Bare => text.to_owned(),
            Self::List => {
                let items = items(text).map(|item| quoted(&item_without_password(item)));
                format!("[{}]", items.collect::<Vec<_>>().join(", "))
            }
            Self::Secret if text.is_empty() => quoted(""),
            Self::Secret => quoted("***"),
            Self::SecretUrl => quoted(&without_password(text)),
        }
    }
}

/// Addresses in lists have no passwords. One that is given in spite of that is not shown either.
fn item_without_password(item: &str) -> String {
    match item.rsplit_once('@') {
        Some(_) if item.contains("://") => without_password(item),
        Some((_, host)) => format!("***@{host}"),
        None => item.to_owned(),
    }
}

pub(super) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return if url.is_empty() {
            String::new()
        } else {
            "***".to_owned()
        };
    };
    // The password may contain an @, and a query may contain one too.
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) if query.contains("password") => (rest, "?***".to_owned()),
        Some((rest, query)) => (rest, format!("?{query}")),
        None => (rest, String::new()),
    };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{scheme}://{user}:***@{host}{query}")
        }
        None => format!("{scheme}://{rest}{query}"),
    }
}

pub(super) fn parses<T: FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

pub(super) fn is_credits(text: &str) -> bool {
    text.parse().is_ok_and(|credits: Credits| !credits.is_negative())
}

pub(super) fn is_network(text: &str) -> bool {
    network(text).is_some()
}

pub(super) fn is_header_name(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

pub(super) fn is_smtp_url(text: &str) -> bool {
    is_url(text, &["smtp://", "smtps://"])
}

/// Returns whether a text is an origin: a scheme, a host that may begin with `*.` for subdomains, and an optional port.
pub(super) fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return false;
    };
    let is_of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let starts_well = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let (host, is_whole) = match host.strip_prefix("*.") {
        // A star below a top-level domain would allow every site.
        Some(domain) => (domain, domain.trim_matches('.').contains('.')),
        None => (host, true),
    };
    let host = host.strip_suffix('/').unwrap_or(host);
    starts_well
        && scheme.bytes().all(is_of_scheme)
        && is_whole
        && !host.is_empty()
        && !host.contains(['/', ' ', '*', '@'])
}

/// Returns whether a text is a URL that has one of these schemes and names a host.
fn is_url(text: &str, schemes: &[&str]) -> bool {
    let rest = schemes.iter().find_map(|scheme| {
        // Postgres has two names.
        let other = text.strip_prefix("postgresql://").filter(|_| *scheme == "postgres://");
        text.strip_prefix(scheme).or(other)
    });
    let rest =
        rest.filter(|rest| !rest.contains(|char: char| char.is_whitespace() || char.is_control() || char == '#'));
    let is_http = schemes.iter().any(|scheme| scheme.starts_with("http"));
    match rest {
        None => false,
        // The rest of other schemes has its own format, which its reader checks.
        Some(rest) if !is_http => !rest.is_empty(),
        Some(_) => text.parse::<axum::http::Uri>().is_ok_and(|url| {
            url.host()
                .is_some_and(|host| !host.is_empty() && !host.contains(['"', '<', '>']))
        }),
    }
}
