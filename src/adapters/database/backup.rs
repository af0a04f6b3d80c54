//! Copies a SQLite database while it is in use, and puts a copy in its place.
//!
//! Called by the commands `backup` and `restore`. A copy is one file without a write-ahead log: the database as of one instant.
//! SQLite writes it into a directory of its own, beside the place that it is for. It is checked there, and only then gets its name,
//! which must not exist. So nothing is overwritten, and a crash leaves nothing that looks like a copy.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _};
use uuid::Uuid;

use super::files;
use crate::adapters::private_files;

/// Account numbers that a restored database does not give again: those after the backup may have been given already, and public ids
/// are made from them.
const SKIPPED_ACCOUNTS: i64 = 1_000_000;

/// Why a database cannot be copied. A message contains the problem, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database is no file of SQLite.
    #[error(
        "this command copies SQLite databases in files: use pg_dump and pg_restore for Postgres, see docs/operating.md"
    )]
    NotSqlite,
    /// SQLite takes names of files as text only.
    #[error("{} is not valid Unicode: name another file", .0.display())]
    NotText(PathBuf),
    /// The file that would be written exists, or a log that belongs to a file that was moved.
    #[error("{} exists: move it away, together with its -wal and -shm, or name another file", .0.display())]
    Exists(PathBuf),
    /// The file was not written by this program.
    #[error("{} is no database of ledgerbell", .0.display())]
    Foreign(PathBuf),
    /// SQLite finds the copy damaged.
    #[error("the copy is damaged ({0}), so it was removed: take another one")]
    Damaged(String),
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

/// A complete copy that does not have its name yet. Dropping it before [`Self::keep`] removes it.
#[derive(Debug)]
pub struct DatabaseCopy {
    directory: PathBuf,
    file: PathBuf,
    target: PathBuf,
}

/// Copies the database at `url`, as of now, for the file `to`. Others may read and write the database meanwhile.
///
/// # Errors
/// See [`BackupError`]. Then no file is left.
pub async fn back_up(url: &str, to: &Path) -> Result<DatabaseCopy, BackupError> {
    let from = main_file(url)?;
    let copy = DatabaseCopy::make(&from, to).await?;
    copy.check(&from).await?.close().await?;
    Ok(copy)
}

/// Copies the database in the file `from`, with its write-ahead log if there is one, for the place of the database at `url`, where no
/// file may be. The caller holds the lock of that place.
///
/// # Errors
/// See [`BackupError`]. Then no file is left.
pub async fn restore(from: &Path, url: &str) -> Result<DatabaseCopy, BackupError> {
    let target = main_file(url)?;
    // A log that is left would be applied to the restored database.
    for file in files(url) {
        refuse_existing(&file)?;
    }
    // SQLite would create it.
    File::open(from).map_err(at(from))?;
    let copy = DatabaseCopy::make(from, &target).await?;
    let mut connection = copy.check(from).await?;
    sqlx::query("UPDATE installation SET next_account_id = next_account_id + $1")
        .bind(SKIPPED_ACCOUNTS)
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    Ok(copy)
}

fn main_file(url: &str) -> Result<PathBuf, BackupError> {
    sqlite_file(url).ok_or(BackupError::NotSqlite)
}

/// Returns the file of the SQLite database at `url`; `None` if it has none.
pub(super) fn sqlite_file(url: &str) -> Option<PathBuf> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return None;
    }
    files(url).into_iter().next()
}

/// Refuses a file that exists, or a link, even to nothing.
fn refuse_existing(path: &Path) -> Result<(), BackupError> {
    match path.symlink_metadata() {
        Ok(_) => Err(BackupError::Exists(path.to_owned())),
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(reason) => Err(at(path)(reason)),
    }
}

/// Returns the options for a connection to the SQLite database in this file, which must exist.
pub(super) fn options_of(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).create_if_missing(false)
}

impl DatabaseCopy {
    async fn make(from: &Path, target: &Path) -> Result<Self, BackupError> {
        // SQLite reads a name that begins with `file:` as a URI; an absolute one never does.
        let from = std::path::absolute(from).map_err(at(from))?;
        let target = std::path::absolute(target).map_err(at(target))?;
        refuse_existing(&target)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let directory = target.with_file_name(format!(".{name}.{}.unfinished", Uuid::new_v4().simple()));
        let file = directory.join("copy.db");
        let Some(path) = file.to_str().map(str::to_owned) else {
            return Err(BackupError::NotText(target));
        };
        private_files::make_directory(&directory).map_err(at(&directory))?;
        let copy = Self {
            directory,
            file,
            target,
        };
        let mut connection = options_of(&from).connect().await?;
        // SQLite reads what is only in the log too, and takes no lock that a writer waits for.
        let written = sqlx::query("VACUUM INTO $1").bind(path).execute(&mut connection).await;
        connection.close().await?;
        written?;
        // The directory is private already; the file is linked to a place that may not be.
        private_files::tighten(&copy.file).map_err(at(&copy.file))?;
        Ok(copy)
    }

    /// Checks what SQLite knows of the copy. Returns the connection to it.
    async fn check(&self, from: &Path) -> Result<SqliteConnection, BackupError> {
        let mut connection = options_of(&self.file).connect().await?;
        let migrations = "SELECT COUNT(*) FROM seaql_migrations";
        match sqlx::query_scalar::<_, i64>(migrations)
            .fetch_one(&mut connection)
            .await
        {
            Ok(1..) => {}
            Ok(_) | Err(sqlx::Error::Database(_)) => return Err(BackupError::Foreign(from.to_owned())),
            Err(error) => return Err(error.into()),
        }
        match damage(&mut connection).await? {
            Some(damage) => Err(BackupError::Damaged(damage)),
            None => Ok(connection),
        }
    }

    /// The URL of the copy, to verify it before it is kept.
    pub fn url(&self) -> String {
        // The driver decodes `%`, and cuts at `?`.
        let path = self.file.display().to_string();
        format!("sqlite://{}", path.replace('%', "%25").replace('?', "%3F"))
    }

    /// Writes the copy to disk and gives it its name.
    ///
    /// # Errors
    /// [`BackupError::Exists`] if there is a file of this name by now, which is not replaced. Another error after the copy has its name
    /// reports that a crash of the machine could lose the name.
    pub fn keep(self) -> Result<(), BackupError> {
        sync(&self.file)?;
        // Fails if the name exists; a rename would replace it.
        std::fs::hard_link(&self.file, &self.target).map_err(|reason| match reason.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(self.target.clone()),
            _ => at(&self.target)(reason),
        })?;
        sync(self.target.parent().unwrap_or(Path::new("/")))
    }
}

impl Drop for DatabaseCopy {
    fn drop(&mut self) {
        // What is left has a name that nothing looks for.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Returns what SQLite finds damaged in a database.
pub(super) async fn damage(connection: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_all(&mut *connection)
        .await?;
    if let Some(damage) = found.into_iter().find(|line| line != "ok") {
        return Ok(Some(damage));
    }
    let orphan = sqlx::query("PRAGMA foreign_key_check")
        .fetch_optional(connection)
        .await?;
    Ok(orphan.map(|_| "a row refers to another one that is missing".to_owned()))
}

fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    |reason| BackupError::File { path, reason }
}
