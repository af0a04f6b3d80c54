//! The sources of settings (a file, the environment), and the conversion of their texts to values.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserializer;
use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, Error, Visitor};
use toml::Value;

use super::bounds::{Form, LONGEST_TEXT};
use super::keys::{KEYS, Key, PREFIX, find, variable};
use super::sqlite_url;

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
        allowed: String,
    },
    /// Settings that are each valid but conflict.
    #[error("{0}")]
    Together(String),
    /// The list of settings and the structs that are read from it differ.
    #[error(
        "{0}. This is a defect of this version, not of your settings: report it, and run the previous version meanwhile"
    )]
    Defect(String),
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
        match (find(&path), value) {
            (Some(key), value) => {
                let text = text_of(value).ok_or_else(|| ConfigError::Invalid {
                    key: key.path,
                    value: format!("a {}", value.type_str()),
                    source_name: source.to_owned(),
                    allowed: key.bounds.to_string(),
                })?;
                let source = source.to_owned();
                given.insert(key.path, Given { text, source });
            }
            (None, Value::Table(inner)) if KEYS.iter().any(|key| key.path.starts_with(&inside)) => {
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

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
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
    let is_secret = |key: &&Key| matches!(key.bounds.form(), Form::Secret | Form::SecretUrl);
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

/// Returns the error for a value that is not allowed, or for one that is missing.
fn invalid(key: &Key, given: Option<&Given>) -> ConfigError {
    let (value, source_name) = match given {
        Some(given) => (key.bounds.form().show(given.text.trim()), given.source.clone()),
        None => ("missing".to_owned(), "not set".to_owned()),
    };
    ConfigError::Invalid {
        key: key.path,
        value,
        source_name,
        allowed: key.bounds.to_string(),
    }
}

/// Reads one value. `None` if the setting is absent; an empty text counts as absent.
fn value_of(key: &Key, given: Option<&Given>) -> Result<Option<Value>, ConfigError> {
    let text = given.map_or("", |given| given.text.trim());
    let is_list = key.bounds.form() == Form::List;
    let is_absent = text.is_empty() && !is_list;
    if is_absent && !key.is_required() {
        return Ok(None);
    }
    let is_short = text.len() <= LONGEST_TEXT || is_list || key.is_required();
    let value = (is_short && !is_absent).then(|| key.bounds.value(text)).flatten();
    value.map(Some).ok_or_else(|| invalid(key, given))
}

/// The checked values, from which serde reads the structs of the modules.
pub(super) struct Reader {
    values: BTreeMap<&'static str, Value>,
    read: RefCell<BTreeSet<&'static str>>,
}

impl Reader {
    /// Checks all given texts.
    pub(super) fn new(given: &BTreeMap<&'static str, Given>) -> Result<Self, ConfigError> {
        let mut reader = Self {
            values: BTreeMap::new(),
            read: RefCell::default(),
        };
        for key in KEYS {
            let value = value_of(key, given.get(key.path))?;
            reader.values.extend(value.map(|value| (key.path, value)));
        }
        let mode = reader.value("mode")?;
        for key in KEYS {
            if let Some(value) = key.implied(mode).and_then(|text| key.bounds.value(text)) {
                reader.values.entry(key.path).or_insert(value);
            }
        }
        let data_dir: PathBuf = reader.value("data_dir")?;
        let url = reader.values.entry("database.url");
        url.or_insert_with(|| sqlite_url(&data_dir).into());
        Ok(reader)
    }

    /// Reads one setting.
    pub(super) fn value<T: DeserializeOwned>(&self, path: &str) -> Result<T, ConfigError> {
        let value: Option<T> = self.optional(path)?;
        value.ok_or_else(|| ConfigError::Defect(format!("setting {path} has neither a value nor a default")))
    }

    /// Reads one setting that may be absent.
    pub(super) fn optional<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ConfigError> {
        let value = self.find(path).and_then(|value| value.map(T::deserialize).transpose());
        value.map_err(|error| ConfigError::Defect(format!("setting {path} cannot be read: {error}")))
    }

    /// Reads the settings of a section that are fields of a struct.
    pub(super) fn section<T: DeserializeOwned>(&self, section: &'static str) -> Result<T, ConfigError> {
        let read = self.section_if_complete(section);
        read.map_err(|error| ConfigError::Defect(format!("the settings of {section} cannot be read: {error}")))
    }

    /// Does what [`Self::section`] does, for a struct whose settings are required in some configurations only.
    pub(super) fn section_if_complete<T: DeserializeOwned>(&self, section: &'static str) -> Result<T, toml::de::Error> {
        T::deserialize(Section { reader: self, section })
    }

    /// Refuses a list with a setting that no struct has.
    pub(super) fn check_all_are_read(&self) -> Result<(), ConfigError> {
        let read = self.read.borrow();
        match KEYS.iter().find(|key| !read.contains(key.path)) {
            Some(key) => Err(ConfigError::Defect(format!(
                "setting {} is in the list of settings, but no struct has it",
                key.path
            ))),
            None => Ok(()),
        }
    }

    fn find(&self, path: &str) -> Result<Option<Value>, toml::de::Error> {
        let key = find(path).ok_or_else(|| Error::custom(format!("{path} is not in the list of settings")))?;
        self.read.borrow_mut().insert(key.path);
        Ok(self.values.get(key.path).cloned())
    }
}

/// One section, as a struct with a field for each setting that it reads. Several structs may share a section.
struct Section<'a> {
    reader: &'a Reader,
    section: &'static str,
}

impl<'de> Deserializer<'de> for Section<'_> {
    type Error = toml::de::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let mut values = Vec::new();
        for field in fields {
            let value = self.reader.find(&format!("{}.{field}", self.section))?;
            values.extend(value.map(|value| (*field, value)));
        }
        visitor.visit_map(MapDeserializer::new(values.into_iter()))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(Error::custom("a section is read as a struct"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map enum identifier ignored_any
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
