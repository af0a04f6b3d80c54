//! Settings as a settings file: those in force, and the commented defaults.

use super::Settings;
use super::keys::{KEYS, leaf, variable};
use super::source::Reader;

#[derive(Clone, Debug)]
pub(super) struct Shown {
    path: &'static str,
    value: Option<String>,
    source: String,
}

impl Settings {
    /// The settings in force as a settings file, with where each comes from. Secrets are masked.
    pub fn to_toml(&self) -> String {
        write_file(self.shown.iter().map(|shown| {
            let line = match &shown.value {
                Some(value) => format!("{} = {value}  # {}", leaf(shown.path), shown.source),
                None => format!("# {} is not set", leaf(shown.path)),
            };
            (shown.path, line)
        }))
    }

    /// A settings file with every setting, its default and what it is for.
    pub fn commented_defaults() -> String {
        let text = write_file(KEYS.iter().map(|key| {
            let value = key.form.show(key.default.unwrap_or_default());
            let default = if key.default.is_some() {
                ""
            } else {
                "Not set by default. "
            };
            let lines = format!(
                "# {}\n# {default}Must be {}.\n# Environment: {}\n# {} = {value}\n",
                key.about,
                key.allowed,
                variable(key.path),
                leaf(key.path)
            );
            (key.path, lines)
        }));
        format!("# The settings of Ledgerbell and their defaults.\n\n{text}")
    }
}

impl Reader<'_> {
    pub(super) fn shown(&self) -> Vec<Shown> {
        let shown = KEYS.iter().map(|key| {
            let given = self.0.get(key.path);
            Shown {
                path: key.path,
                value: given.map(|given| key.form.show(given.text.trim())),
                source: given.map(|given| given.source.clone()).unwrap_or_default(),
            }
        });
        shown.collect()
    }
}

/// Lines by path, the top-level ones first, then a `[section]` for each first part of a path.
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
