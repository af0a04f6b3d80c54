//! Prints settings as a settings file: the current values, or the commented defaults.

use std::collections::BTreeMap;

use super::Settings;
use super::keys::{KEYS, leaf, variable};
use super::source::Given;

/// The name of the source of a setting that no other source sets.
pub(super) const DEFAULT: &str = "default";

#[derive(Clone, Debug)]
pub(super) struct Shown {
    path: &'static str,
    value: Option<String>,
    source: String,
}

impl Settings {
    /// Returns the current settings as a settings file, with the source of each. Secrets are masked.
    pub fn to_toml(&self) -> String {
        write_file(self.shown.iter().map(|shown| {
            let line = match &shown.value {
                Some(value) => format!("{} = {value}  # {}", leaf(shown.path), shown.source),
                None => format!("# {} is not set", leaf(shown.path)),
            };
            (shown.path, line)
        }))
    }

    /// Whether no source sets this setting.
    pub fn has_default(&self, path: &str) -> bool {
        let shown = self.shown.iter().find(|shown| shown.path == path);
        shown.is_none_or(|shown| shown.value.is_none() || shown.source == DEFAULT)
    }

    /// Returns a settings file with every setting, its default and its purpose.
    pub fn commented_defaults() -> String {
        let text = write_file(KEYS.iter().map(|key| {
            let value = key.bounds.form().show(key.default.unwrap_or_default());
            let default = if key.default.is_some() {
                ""
            } else {
                "Not set by default. "
            };
            let lines = format!(
                "# {}\n# {default}Must be {}.\n# Environment: {}\n# {} = {value}\n",
                key.about,
                key.bounds,
                variable(key.path),
                leaf(key.path)
            );
            (key.path, lines)
        }));
        format!("# The settings of Ledgerbell and their defaults.\n\n{text}")
    }
}

/// Returns the given settings with their sources.
pub(super) fn shown(given: &BTreeMap<&'static str, Given>) -> Vec<Shown> {
    let shown = KEYS.iter().map(|key| {
        let given = given.get(key.path);
        Shown {
            path: key.path,
            value: given.map(|given| key.bounds.form().show(given.text.trim())),
            source: given.map(|given| given.source.clone()).unwrap_or_default(),
        }
    });
    shown.collect()
}

/// Writes lines by path: top-level settings first, then one `[section]` per first part of a path.
fn write_file<'a>(lines: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut text = String::new();
    let mut section = "";
    for (path, line) in lines {
        let own = path.rsplit_once('.').map_or("", |(section, _)| section);
        if own != section {
            section = own;
            text.extend(["\n[", section, "]\n"]);
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}
