//! Settings of mail.

use std::path::PathBuf;

use super::{ConfigError, Reader, Secret};

/// How mail is written and sent.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// The SMTP server; the URL may contain a password. If `None`, mail is written into files.
    pub smtp_url: Option<Secret>,
    /// The sender of all mails.
    pub from: String,
    /// A folder with templates of the operator.
    pub templates: Option<PathBuf>,
    /// The key that reports about mail are signed with. If `None`, no reports are accepted.
    pub webhook_secret: Option<Secret>,
    /// The daily limits of mail to unverified addresses.
    pub unverified: UnverifiedMailSettings,
}

/// The daily limits of mail to unverified addresses, in mails.
#[derive(Clone, Copy, Debug)]
pub struct UnverifiedMailSettings {
    /// Mails from one account.
    pub per_account: u32,
    /// Mails to one address.
    pub per_address: u32,
    /// Mails that one caller requests.
    pub per_caller: u32,
}

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
