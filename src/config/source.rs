//! The sources of settings (a file, the environment), and the conversion of their texts to values.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use super::Secret;
use super::keys::{Form, KEYS, Key, PREFIX, key, variable};

/// Why the settings are not valid. Contains the setting and the allowed values, and never a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file does not exist or cannot be read.
    #[error("cannot read the settings file {}: {reason}", .path.display())]
    Unreadable {
        /// The path of the settings file.
        path: PathBuf,
        /// The error of the operating system.
        reason: std::io::Error,
    },
    /// The file is not valid TOML.
    #[error("the settings file {} is not valid TOML: {reason}", .path.display())]
    Malformed {
        /// The path of the settings file.
        path: PathBuf,
        /// The position and the error of the parser.
        reason: String,
    },
    /// A name that is not a setting.
    #[error("unknown setting {name} ({source_name}); known settings: {known}")]
    Unknown {
        /// The name as given.
        name: String,
        /// The source that contains it.
        source_name: String,
        /// The known names.
        known: String,
    },
    /// A value that is not allowed.
    #[error("setting {key} is {value} ({source_name}), but must be {allowed}")]
    Invalid {
        /// The path of the setting.
        key: &'static str,
        /// The value as given; masked if it is secret.
        value: String,
        /// The source that contains it.
        source_name: String,
        /// The allowed values.
        allowed: &'static str,
    },
    /// Settings that are each valid but conflict.
    #[error("{0}")]
    Together(String),
}

#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) source: String,
}

pub(super) fn read_file(path: &Path, given: &mut BTreeMap<&'static str, Given>) -> Result<(), ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|reason| ConfigError::Unreadable {
        path: path.to_owned(),
        reason,
    })?;
    let table: toml::Table = text.parse().map_err(|reason: toml::de::Error| ConfigError::Malformed {
        path: path.to_owned(),
        reason: reason.to_string(),
    })?;
    read_table("", &table, &path.display().to_string(), given)
}

fn read_table(
    prefix: &str,
    table: &toml::Table,
    source: &str,
    given: &mut BTreeMap<&'static str, Given>,
) -> Result<(), ConfigError> {
    for (name, value) in table {
        let path = format!("{prefix}{name}");
        let inside = format!("{path}.");
        match (key(&path), value) {
            (Some(key), value) => {
                let text = text_of(value).ok_or_else(|| ConfigError::Invalid {
                    key: key.path,
                    value: format!("a {}", value.type_str()),
                    source_name: source.to_owned(),
                    allowed: key.allowed,
                })?;
                let source = source.to_owned();
                given.insert(key.path, Given { text, source });
            }
            (None, toml::Value::Table(inner)) if KEYS.iter().any(|key| key.path.starts_with(&inside)) => {
                read_table(&inside, inner, source, given)?;
            }
            (None, _) => {
                return Err(ConfigError::Unknown {
                    name: path,
                    source_name: source.to_owned(),
                    known: KEYS.iter().map(|key| key.path).collect::<Vec<_>>().join(", "),
                });
            }
        }
    }
    Ok(())
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            items.map(|items| items.join(","))
        }
        _ => None,
    }
}

pub(super) fn read_environment(
    environment: impl IntoIterator<Item = (String, String)>,
    given: &mut BTreeMap<&'static str, Given>,
) -> Result<(), ConfigError> {
    // Kubernetes sets variables with the first two names for a service called `ledgerbell`. The others are not settings.
    let foreign = ["SERVICE_", "PORT", "TEST_", "CONFIG"];
    let mut files = Vec::new();
    for (name, text) in environment {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        match KEYS.iter().find(|key| variable(key.path) == name) {
            Some(key) => {
                given.insert(key.path, Given { text, source: name });
            }
            None if file_of(&name).is_some() => {
                files.push((name, text));
            }
            None if foreign.iter().any(|prefix| rest.starts_with(prefix)) || is_service_link(rest, &text) => {}
            None => {
                return Err(ConfigError::Unknown {
                    name,
                    source_name: "in the environment".to_owned(),
                    known: KEYS.iter().map(|key| variable(key.path)).collect::<Vec<_>>().join(", "),
                });
            }
        }
    }
    files
        .into_iter()
        .try_for_each(|(name, path)| read_secret(name, &path, given))
}

/// Returns the secret setting that a variable such as `LEDGERBELL_SECRET_FILE` supplies by a file.
fn file_of(name: &str) -> Option<&'static Key> {
    let secret = name.strip_suffix("_FILE")?;
    let is_secret = |key: &&Key| matches!(key.form, Form::Secret | Form::SecretUrl);
    KEYS.iter().filter(is_secret).find(|key| variable(key.path) == secret)
}

fn read_secret(name: String, path: &str, given: &mut BTreeMap<&'static str, Given>) -> Result<(), ConfigError> {
    let Some(key) = file_of(&name) else {
        return Ok(());
    };
    if given
        .get(key.path)
        .is_some_and(|given| given.source == variable(key.path))
    {
        let text = format!("{} and {name} are both set: remove one of them", variable(key.path));
        return Err(ConfigError::Together(text));
    }
    let text = std::fs::read_to_string(path).map_err(|reason| ConfigError::Unreadable {
        path: PathBuf::from(path),
        reason,
    })?;
    let text = text.trim().to_owned();
    given.insert(key.path, Given { text, source: name });
    Ok(())
}

/// Returns whether Kubernetes set this variable for a service called `ledgerbell-<anything>`.
fn is_service_link(rest: &str, text: &str) -> bool {
    let is_address = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    rest.ends_with("_SERVICE_HOST")
        || rest.ends_with("_SERVICE_PORT")
        || rest.contains("_SERVICE_PORT_")
        || (is_address && (rest.ends_with("_PORT") || rest.contains("_PORT_")))
        || ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| {
            ["_ADDR", "_PORT", "_PROTO"].iter().any(|part| {
                let port = rest.strip_suffix(part).and_then(|rest| rest.strip_suffix(protocol));
                port.and_then(|rest| rest.rsplit_once("_PORT_"))
                    .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
            })
        })
}

/// Converts given texts to typed values.
pub(super) struct Reader<'a>(pub(super) &'a BTreeMap<&'static str, Given>);

impl Reader<'_> {
    /// Returns the given text, trimmed. An empty text counts as absent.
    fn find(&self, path: &'static str) -> Option<&str> {
        self.0
            .get(path)
            .map(|given| given.text.trim())
            .filter(|text| !text.is_empty())
    }

    pub(super) fn invalid(&self, path: &'static str) -> ConfigError {
        let (form, allowed) = key(path).map_or((Form::Secret, ""), |key| (key.form, key.allowed));
        let (value, source_name) = match self.0.get(path) {
            Some(given) => (form.show(given.text.trim()), given.source.clone()),
            None => ("missing".to_owned(), "not set".to_owned()),
        };
        ConfigError::Invalid {
            key: path,
            value,
            source_name,
            allowed,
        }
    }

    pub(super) fn required(&self, path: &'static str) -> Result<&str, ConfigError> {
        self.find(path).ok_or_else(|| self.invalid(path))
    }

    pub(super) fn parse<T: FromStr>(&self, path: &'static str) -> Result<T, ConfigError> {
        self.required(path)?.parse().map_err(|_| self.invalid(path))
    }

    pub(super) fn number<T: FromStr + PartialOrd + Copy>(
        &self,
        path: &'static str,
        least: T,
        most: T,
    ) -> Result<T, ConfigError> {
        let number: T = self.parse(path)?;
        if number < least || number > most {
            return Err(self.invalid(path));
        }
        Ok(number)
    }

    pub(super) fn seconds(&self, path: &'static str, least: u64, most: u64) -> Result<Duration, ConfigError> {
        self.number(path, least, most).map(Duration::from_secs)
    }

    /// Reads a duration between a hundredth of a second and ten minutes.
    pub(super) fn millis(&self, path: &'static str) -> Result<Duration, ConfigError> {
        self.number(path, 10, 600_000).map(Duration::from_millis)
    }

    pub(super) fn one_of<T: Copy>(&self, path: &'static str, names: &[(&str, T)]) -> Result<T, ConfigError> {
        let given = self.required(path)?;
        let found = names.iter().find(|(name, _)| *name == given);
        found.map(|(_, value)| *value).ok_or_else(|| self.invalid(path))
    }

    pub(super) fn text(&self, path: &'static str) -> Result<Option<String>, ConfigError> {
        match self.find(path) {
            Some(text) if text.len() > 1_000 => Err(self.invalid(path)),
            text => Ok(text.map(str::to_owned)),
        }
    }

    pub(super) fn url(&self, path: &'static str, schemes: &[&str]) -> Result<Option<String>, ConfigError> {
        let text = self.text(path)?;
        if text.as_ref().is_some_and(|url| !is_url(url, schemes)) {
            return Err(self.invalid(path));
        }
        Ok(text)
    }

    pub(super) fn secret(&self, path: &'static str) -> Result<Option<Secret>, ConfigError> {
        let text = self.text(path)?;
        if text.as_ref().is_some_and(|text| text.chars().count() < 32) {
            return Err(self.invalid(path));
        }
        Ok(text.map(Secret))
    }

    /// Reads networks. A single address is a network of one address.
    pub(super) fn networks(&self, path: &'static str) -> Result<Vec<IpNet>, ConfigError> {
        let items = self.find(path).unwrap_or_default().split(',').map(str::trim);
        items
            .filter(|item| !item.is_empty())
            .map(|item| {
                let address = item.parse::<IpAddr>().map(IpNet::from);
                item.parse().or(address).map_err(|_| self.invalid(path))
            })
            .collect()
    }

    pub(super) fn origins(&self, path: &'static str) -> Result<Vec<String>, ConfigError> {
        self.list(path, is_origin)
    }

    pub(super) fn header_names(&self, path: &'static str) -> Result<Vec<String>, ConfigError> {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        self.list(path, |name| name.bytes().all(is_of_name))
    }

    fn list(&self, path: &'static str, is_valid: impl Fn(&str) -> bool) -> Result<Vec<String>, ConfigError> {
        let items = self.find(path).unwrap_or_default().split(',').map(str::trim);
        items
            .filter(|item| !item.is_empty())
            .map(|item| {
                is_valid(item)
                    .then(|| item.to_owned())
                    .ok_or_else(|| self.invalid(path))
            })
            .collect()
    }
}

/// Returns whether a text is an origin: a scheme, a host that may begin with `*.` for subdomains, and an optional port.
fn is_origin(text: &str) -> bool {
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
    let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(environment: &[(&str, &str)]) -> Result<BTreeMap<&'static str, Given>, String> {
        let mut given = BTreeMap::new();
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        read_environment(environment, &mut given).map_err(|error| error.to_string())?;
        Ok(given)
    }

    #[test]
    fn what_kubernetes_says_of_services_is_no_setting_and_what_looks_like_one_is() {
        let links = [
            ("LEDGERBELL_METRICS_SERVICE_HOST", "10.9.8.7"),
            ("LEDGERBELL_METRICS_SERVICE_PORT", "9100"),
            ("LEDGERBELL_METRICS_SERVICE_PORT_HTTP_METRICS", "9100"),
            ("LEDGERBELL_METRICS_PORT", "tcp://10.9.8.7:9100"),
            ("LEDGERBELL_METRICS_PORT_9100_TCP", "tcp://10.9.8.7:9100"),
            ("LEDGERBELL_METRICS_PORT_9100_TCP_PROTO", "tcp"),
            ("LEDGERBELL_METRICS_PORT_9100_TCP_PORT", "9100"),
            ("LEDGERBELL_METRICS_PORT_9100_TCP_ADDR", "10.9.8.7"),
        ];
        assert!(read(&links).expect("no settings").is_empty());
        for name in [
            "LEDGERBELL_METRICS_PORT",
            "LEDGERBELL_METRICS_HOST",
            "LEDGERBELL_LISTEN_ADDR",
        ] {
            let complaint = read(&[(name, "9100")]).expect_err("a slip of the pen");
            assert!(complaint.contains(&format!("unknown setting {name} ")), "{complaint}");
        }
    }

    #[test]
    fn secrets_are_read_from_files_and_from_one_place_only() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "a secret of thirty-two characters\n").expect("written");
        let path = file.path().to_str().expect("a text");
        let given = read(&[("LEDGERBELL_SECRET_FILE", path)]).expect("read");
        assert_eq!(given["secret"].text, "a secret of thirty-two characters");
        let both = read(&[("LEDGERBELL_SECRET_FILE", path), ("LEDGERBELL_SECRET", "x")]).expect_err("which of them");
        assert!(both.contains("LEDGERBELL_SECRET and LEDGERBELL_SECRET_FILE"), "{both}");
        let gone = read(&[("LEDGERBELL_SECRET_FILE", "/nowhere/secret")]).expect_err("not there");
        assert!(gone.contains("/nowhere/secret"), "{gone}");
        assert!(
            read(&[("LEDGERBELL_LISTEN_FILE", path)]).is_err(),
            "what is no secret is not in a file"
        );
    }
}
