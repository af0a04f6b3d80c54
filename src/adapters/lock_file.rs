//! One serving process for a SQLite database.
//!
//! Two would work, since SQLite makes writers take turns, but neither rings for the other and both wait for the write lock. The
//! lock belongs to the process, so the system releases it however the process ends. Commands that do one thing and end do not
//! take it: they take turns with the server for the write lock of the database.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::PathBuf;
use std::str::FromStr as _;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;

/// Held while the process serves.
#[derive(Debug)]
pub struct LockFile(#[expect(dead_code, reason = "held, not read")] File);

/// Why the database is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process serves it.
    #[error(
        "another process serves this SQLite database{holder} (lock file {}): stop it first, or use Postgres for several processes",
        path.display()
    )]
    Taken {
        /// The lock file.
        path: PathBuf,
        /// What is known of the process.
        holder: String,
    },
    /// The file cannot be made.
    #[error("cannot lock {}: {reason}", path.display())]
    Refused {
        /// The lock file.
        path: PathBuf,
        /// What the system answered.
        reason: std::io::Error,
    },
}

impl LockFile {
    /// Locks the database of this URL for the rest of the process; nothing where it is not SQLite.
    pub fn take(url: &str) -> Result<Option<Self>, LockError> {
        if !url.starts_with("sqlite:") {
            return Ok(None);
        }
        let Ok(options) = SqliteConnectOptions::from_str(url) else {
            // Opening it says what is wrong.
            return Ok(None);
        };
        let mut name = options.get_filename().as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let refused = |reason| LockError::Refused {
            path: path.clone(),
            reason,
        };
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(refused)?;
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
        // Only to be shown; on a full disk it is not.
        let written = file.set_len(0).and_then(|()| file.rewind());
        let _ = written.and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Some(Self(file)))
    }
}
