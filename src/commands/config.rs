//! `ledgerbell config print`: the current settings, or the commented defaults.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::config::Settings;

use super::{Ending, SettingsFlags, say};

/// Print settings.
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(subcommand)]
    subcommand: ConfigSubcommand,
}

#[derive(Debug, Subcommand)]
enum ConfigSubcommand {
    /// Print the current settings and the source of each. Secrets are masked.
    Print {
        /// Print a settings file with every setting, its default and its purpose.
        #[arg(long)]
        defaults: bool,
    },
}

pub(super) fn run(command: &Config, given: &SettingsFlags) -> Ending {
    let ConfigSubcommand::Print { defaults } = command.subcommand;
    let text = if defaults {
        Settings::commented_defaults()
    } else {
        given.load()?.to_toml()
    };
    say(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
