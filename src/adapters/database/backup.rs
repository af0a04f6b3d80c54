//! Copies a SQLite database while it is in use, and puts a copy in its place.
//!
//! Called by the commands `backup` and `restore`. A copy is one file without a write-ahead log: the database as of one instant. A file
//! gets its name only when it is complete and on disk, so that a crash leaves nothing that looks like a copy.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _};

use super::files;
use crate::adapters::private_files;

/// Why a database cannot be copied. A message contains the problem, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database is no SQLite database.
    #[error("this command copies SQLite databases: use pg_dump and pg_restore for Postgres, see docs/operating.md")]
    NotSqlite,
    /// The file that would be written exists.
    #[error("{} exists: name another file, or move it away", .0.display())]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The error of the operating system.
        reason: io::Error,
    },
    /// The database cannot be read, or the copy cannot be written.
    #[error("the database cannot be copied: {0}")]
    Database(#[from] sqlx::Error),
}

/// A complete copy that does not have its name yet. It is removed when dropped before [`Self::keep`].
#[derive(Debug)]
pub struct UnfinishedCopy {
    path: PathBuf,
    target: PathBuf,
    is_kept: bool,
}

/// Writes a copy of the database at `url`, as of now, for the file `to`. Others may read and write the database meanwhile.
///
/// # Errors
/// See [`BackupError`]. Then no file is left.
pub async fn back_up(url: &str, to: &Path) -> Result<UnfinishedCopy, BackupError> {
    let options: SqliteConnectOptions = match files(url).first() {
        Some(_) => url.parse()?,
        None => return Err(BackupError::NotSqlite),
    };
    let copy = UnfinishedCopy::begin(to)?;
    let mut connection = options.create_if_missing(false).connect().await?;
    let written = sqlx::query("VACUUM INTO $1")
        .bind(copy.path.to_string_lossy().into_owned())
        .execute(&mut connection)
        .await;
    connection.close().await?;
    written?;
    copy.sync()?;
    Ok(copy)
}

/// Copies the file `from` to the place of the database at `url`, which must not exist.
///
/// # Errors
/// See [`BackupError`]. Then no file is left.
pub fn restore(from: &Path, url: &str) -> Result<UnfinishedCopy, BackupError> {
    let files = files(url);
    let Some(target) = files.first() else {
        return Err(BackupError::NotSqlite);
    };
    // A log that is left would be applied to the restored database.
    if let Some(existing) = files.iter().find(|file| file.exists()) {
        return Err(BackupError::Exists(existing.clone()));
    }
    let copy = UnfinishedCopy::begin(target)?;
    let mut source = File::open(from).map_err(at(from))?;
    let mut written = File::options().write(true).open(&copy.path).map_err(at(&copy.path))?;
    io::copy(&mut source, &mut written).map_err(at(&copy.path))?;
    copy.sync()?;
    Ok(copy)
}

impl UnfinishedCopy {
    fn begin(target: &Path) -> Result<Self, BackupError> {
        if target.exists() {
            return Err(BackupError::Exists(target.to_owned()));
        }
        let mut name = target.as_os_str().to_owned();
        name.push(".unfinished");
        let path = PathBuf::from(name);
        // A crash may have left one.
        match std::fs::remove_file(&path) {
            Err(reason) if reason.kind() != io::ErrorKind::NotFound => return Err(at(&path)(reason)),
            _ => {}
        }
        private_files::make_file(&path).map_err(at(&path))?;
        Ok(Self {
            path,
            target: target.to_owned(),
            is_kept: false,
        })
    }

    /// The URL of the copy, to check it before it is kept.
    pub fn url(&self) -> String {
        format!("sqlite://{}", self.path.display())
    }

    /// Gives the copy its name.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn keep(mut self) -> Result<(), BackupError> {
        std::fs::rename(&self.path, &self.target).map_err(at(&self.target))?;
        self.is_kept = true;
        let directory = self.target.parent().filter(|path| !path.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        // Otherwise a crash of the machine could lose the name.
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(at(directory))
    }

    fn sync(&self) -> Result<(), BackupError> {
        File::open(&self.path)
            .and_then(|file| file.sync_all())
            .map_err(at(&self.path))
    }
}

impl Drop for UnfinishedCopy {
    fn drop(&mut self) {
        if !self.is_kept {
            // It has no name that anything looks for.
            let _ = std::fs::remove_file(&self.path);
        }
        for ending in ["-wal", "-shm"] {
            let mut name = self.path.clone().into_os_string();
            name.push(ending);
            let _ = std::fs::remove_file(name);
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    |reason| BackupError::File { path, reason }
}
