//! Allows one serving process per SQLite database.
//!
//! Two processes would work, since SQLite serializes writers. But neither notifies the other of new events, and both wait for
//! the write lock. The lock belongs to the process, so the system releases it however the process ends. Commands that do one
//! thing and end do not take it: they wait for the write lock of the database.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::{database, private_files};

/// The lock, held until the value is dropped.
#[derive(Debug)]
pub struct LockFile(#[expect(dead_code, reason = "held, not read")] File);

/// Why the lock cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process serves the database.
    #[error(
        "another process serves this SQLite database{holder} (lock file {}): stop it first, or use Postgres for several processes",
        path.display()
    )]
    Taken {
        /// The lock file.
        path: PathBuf,
        /// A description of the other process, if one is known.
        holder: String,
    },
    /// The lock file cannot be created or opened.
    #[error("cannot lock {}: {reason}", path.display())]
    Refused {
        /// The lock file.
        path: PathBuf,
        /// The error of the operating system.
        reason: std::io::Error,
    },
}

impl LockFile {
    /// Locks the database of this URL until the process ends. Returns `None` if it is not SQLite.
    pub fn take(url: &str) -> Result<Option<Self>, LockError> {
        if !url.starts_with("sqlite:") {
            return Ok(None);
        }
        // If there is none, opening the database reports what is wrong.
        let file = database::files(url).into_iter().next();
        file.map(|file| Self::take_of(&file)).transpose()
    }

    /// Like [`Self::take`], for the SQLite database in this file. A link to the file has the same lock.
    pub fn take_of(database: &Path) -> Result<Self, LockError> {
        let file = std::fs::canonicalize(database);
        let mut name = file.map_or_else(|_| database.as_os_str().to_owned(), PathBuf::into_os_string);
        name.push(".lock");
        let path = PathBuf::from(name);
        let refused = |reason| LockError::Refused {
            path: path.clone(),
            reason,
        };
        private_files::make_file(&path).map_err(refused)?;
        let mut file = File::options().read(true).write(true).open(&path).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut id = String::new();
                let known = file.read_to_string(&mut id).is_ok() && id.trim().parse::<u32>().is_ok();
                let holder = if known {
                    format!(", process {}", id.trim())
                } else {
                    String::new()
                };
                return Err(LockError::Taken { path, holder });
            }
            Err(TryLockError::Error(reason)) => return Err(refused(reason)),
        }
        // The content is only informative: an error, such as a full disk, is ignored.
        let written = file.set_len(0).and_then(|()| file.rewind());
        let _ = written.and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self(file))
    }
}
