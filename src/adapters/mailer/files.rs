//! Writes mail into files where no SMTP server is set: no mail is lost, and a developer can read it.

use std::path::{Path, PathBuf};

use crate::domain::notification::{Mail, MailError, Mailer, Sending};

use super::message::Sender;
use crate::adapters::private_files;

/// Writes each mail to `<message id>.eml`. A mail that is sent twice is one file.
#[derive(Clone, Debug)]
pub struct FileMailer {
    folder: PathBuf,
    sender: Sender,
}

impl FileMailer {
    /// Creates a mailer for this folder. The first mail creates the folder.
    pub fn new(folder: &Path, sender: Sender) -> Self {
        Self {
            folder: folder.to_owned(),
            sender,
        }
    }

    async fn write(&self, mail: &Mail) -> Result<(), MailError> {
        let message = self.sender.message(mail)?.formatted();
        let path = self.folder.join(format!("{}.eml", mail.message_id));
        let (folder, file) = (self.folder.clone(), path.clone());
        let writing = tokio::task::spawn_blocking(move || {
            private_files::make_directory(&folder)?;
            private_files::write(&file, &message)
        });
        let written = writing.await.unwrap_or_else(|error| Err(error.into()));
        written
            .map_err(|error| MailError::Deferred(format!("the mail cannot be written to {}: {error}", path.display())))
    }
}

impl Mailer for FileMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> Sending<'a> {
        Box::pin(self.write(mail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notification::Letter;

    #[tokio::test]
    async fn a_mail_that_is_sent_twice_is_one_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let folder = directory.path().join("mail");
        let mailer = FileMailer::new(&folder, Sender::parse("a@bell.example").expect("an address"));
        let mail = Mail {
            to: "ada@example.com".to_owned(),
            name: Some("Ada".to_owned()),
            message_id: "dlv_1".to_owned(),
            letter: Letter {
                subject: "Hello".to_owned(),
                text: "Text".to_owned(),
                html: "HTML".to_owned(),
            },
            thread: None,
            unsubscribe: None,
        };
        for _ in 0..2 {
            mailer.send(&mail).await.expect("is written");
        }
        let files: Vec<_> = std::fs::read_dir(&folder)
            .expect("a folder")
            .map(|file| file.expect("a file").file_name())
            .collect();
        assert_eq!(files, ["dlv_1.eml"]);
    }
}
