//! The files that the program writes: where they are, and that only its user can read them.

use std::path::PathBuf;

use crate::adapters::{database, private_files};
use crate::config::Settings;

/// The state of the embedded simulated gateway, in the data directory.
pub(super) const SIMULATED_GATEWAY_FILE: &str = "simulated-gateway.json";
/// The state of the simulated gateway that runs as a separate server.
pub(crate) const GATEWAY_SERVER_FILE: &str = "stripe-stand-in.json";
/// The API key of the demo.
pub(crate) const DEMO_KEY_FILE: &str = "demo-api-key";
/// By how many milliseconds the demo's clock was moved ahead.
pub(crate) const DEMO_TIME_FILE: &str = "demo-time";
/// The folder for mails without an SMTP server.
pub(super) const MAIL_FOLDER: &str = "mail";

/// Returns the files and folders that the program writes, whether they exist or not.
pub fn data_files(settings: &Settings) -> Vec<PathBuf> {
    let in_data_dir = [
        SIMULATED_GATEWAY_FILE,
        GATEWAY_SERVER_FILE,
        DEMO_KEY_FILE,
        DEMO_TIME_FILE,
        MAIL_FOLDER,
    ];
    let mut files: Vec<PathBuf> = in_data_dir.iter().map(|name| settings.data_dir.join(name)).collect();
    files.extend(database::files(settings.database.url.reveal()));
    files
}

/// Makes files private that an earlier version left readable for other users of the machine. The directory itself may belong to
/// the operator and keeps its mode.
pub(super) fn tighten_files(settings: &Settings) {
    for path in data_files(settings) {
        match private_files::tighten(&path) {
            Ok(true) => {
                tracing::warn!(path = %path.display(), "other users of this machine could read this; now they cannot");
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "other users of this machine may be able to read this: chmod it");
            }
        }
    }
    for (path, mode) in private_files::loose([settings.data_dir.clone()]) {
        tracing::warn!(path = %path.display(), mode = %format!("{mode:o}"), "other users of this machine can look into the data directory: chmod 700");
    }
}
