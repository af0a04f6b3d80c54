//! Settings of mail.

use std::path::PathBuf;

use serde::Deserialize;

use super::Secret;

/// How mail is written and sent.
#[derive(Clone, Debug, Deserialize)]
pub struct MailSettings {
    /// The SMTP server; the URL may contain a password. If `None`, mail is written into files.
    pub smtp_url: Option<Secret>,
    /// The sender of all mails.
    pub from: String,
    /// A folder with templates of the operator.
    pub templates: Option<PathBuf>,
    /// The key that reports about mail are signed with. If `None`, no reports are accepted.
    pub webhook_secret: Option<Secret>,
}
