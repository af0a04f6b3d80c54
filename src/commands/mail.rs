//! `ledgerbell mail preview`: writes every mail as a file, for authors of templates.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::adapters::private_files;
use crate::adapters::wording::Templates;
use crate::domain::notification::Links;

use super::{Ending, SettingsFlags, say};

/// The target of buttons in examples if no setting names one.
const EXAMPLE_APP: &str = "https://app.example.com/credits";

/// Show examples of mail.
#[derive(Debug, Args)]
pub(super) struct MailCommand {
    #[command(subcommand)]
    subcommand: MailSubcommand,
}

#[derive(Debug, Subcommand)]
enum MailSubcommand {
    /// Write an example of every mail in every language into a directory, as HTML and as text, by the current templates.
    Preview {
        /// The directory. It is created if it does not exist.
        directory: PathBuf,
        /// The name of the team in the examples.
        #[arg(long, default_value = "The team")]
        team: String,
    },
}

pub(super) fn run(command: &MailCommand, given: &SettingsFlags) -> Ending {
    let MailSubcommand::Preview { directory, team } = &command.subcommand;
    let settings = given.load()?;
    let templates = Templates::load(settings.mail.templates.as_deref())?;
    let app_url = settings.app_url.unwrap_or_else(|| EXAMPLE_APP.to_owned());
    let previews = templates.previews(team, &Links::new(Some(app_url)))?;
    private_files::make_directory(directory)?;
    for preview in &previews {
        let path = |ending: &str| directory.join(format!("{}.{ending}", preview.name));
        private_files::write(&path("html"), preview.letter.html.as_bytes())?;
        private_files::write(&path("txt"), preview.letter.text.as_bytes())?;
    }
    say(&format!("{} mails are in {}", previews.len(), directory.display()))?;
    Ok(ExitCode::SUCCESS)
}
