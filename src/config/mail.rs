//! Settings of mail.

use std::path::PathBuf;

use super::{ConfigError, Reader, Secret};

/// How mail is written and sent.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// The server; may hold a password. Files when `None`.
    pub smtp_url: Option<Secret>,
    /// Who mail is from.
    pub from: String,
    /// Texts of the operator's own.
    pub templates: Option<PathBuf>,
    /// What reports of mail are signed with; none are taken in when `None`.
    pub webhook_secret: Option<Secret>,
    /// Mails a day to addresses that are not verified.
    pub unverified: UnverifiedMailSettings,
}

/// Mails a day to addresses that are not verified.
#[derive(Clone, Copy, Debug)]
pub struct UnverifiedMailSettings {
    /// From one account.
    pub per_account: u32,
    /// To one address.
    pub per_address: u32,
    /// At the request of one caller.
    pub per_caller: u32,
}

/// Reads how mail is written and sent.
pub(super) fn read_mail(read: &Reader<'_>) -> Result<MailSettings, ConfigError> {
    Ok(MailSettings {
        smtp_url: read.url("mail.smtp_url", &["smtp://", "smtps://"])?.map(Secret),
        from: read.required("mail.from")?.to_owned(),
        templates: read.text("mail.templates")?.map(PathBuf::from),
        webhook_secret: read.secret("mail.webhook_secret")?,
        unverified: UnverifiedMailSettings {
            per_account: read.number("mail.unverified_per_account", 0, 1_000_000)?,
            per_address: read.number("mail.unverified_per_address", 0, 1_000_000)?,
            per_caller: read.number("mail.unverified_per_caller", 0, 1_000_000)?,
        },
    })
}
