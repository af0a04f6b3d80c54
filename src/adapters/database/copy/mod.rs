//! Copies a SQLite database into an empty Postgres database.
//!
//! Called by the command `copy`. No process may change the source meanwhile: it is locked as a server locks it, and by SQLite's write
//! lock. The target has the mark of an unfinished copy from the transaction that creates its schema until every row was compared, so
//! no process of any version starts on it in between.
//!
//! Rows are copied in the order of their keys, in transactions of a bounded size. So what an interrupted copy leaves of a table is its
//! beginning. The next copy compares it with the source and continues after it. At the end all rows of all tables are compared: each
//! is read back as the text that Postgres makes of it, and must be the same bytes as the text that was sent.

mod rows;
mod source;
mod target;

use std::io;
use std::path::PathBuf;

use sea_orm::sqlx;

use super::{DistributionError, OpenError, SchemaError};
use crate::adapters::lock_file::LockError;
use crate::domain::fault::Fault;

use rows::Table;
use source::Source;
use target::Target;

/// The size of the rows, in bytes of their text, that one transaction writes.
const BATCH: usize = 1 << 20;
/// Progress is reported once in this number of rows.
const REPORT_EVERY: u64 = 1_000;

/// Why a database cannot be copied. A message contains the problem, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source is no file of SQLite.
    #[error("--from must name a SQLite database in a file, such as sqlite:///var/lib/ledgerbell/ledgerbell.db")]
    NotFromSqlite,
    /// The target is no Postgres database.
    #[error("--to must name a Postgres database, such as postgres://user@host/name")]
    NotToPostgres,
    /// The source cannot be read.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The error of the operating system.
        reason: io::Error,
    },
    /// A server works on the source.
    #[error(transparent)]
    Served(#[from] LockError),
    /// A command writes to the source.
    #[error("another process writes to the source: end it, and run this command again")]
    SourceBusy,
    /// The source was not written by this program.
    #[error("{} is no database of ledgerbell", .0.display())]
    Foreign(PathBuf),
    /// An older version has written the source.
    #[error("the source lacks {0} migrations: run `ledgerbell migrate` on it first")]
    Older(usize),
    /// No server has ever worked on the source.
    #[error("no server has used the source, so there is nothing to copy")]
    Unused,
    /// SQLite finds the source damaged.
    #[error("the source is damaged ({0}): restore a backup of it, and copy that")]
    Damaged(String),
    /// The source, or the target, has a schema that this version cannot use.
    #[error("the {place} cannot be used: {error}")]
    Schema {
        /// Which of the two.
        place: &'static str,
        /// What is wrong with it.
        error: SchemaError,
    },
    /// Another copy into the target is under way.
    #[error("another copy into this database is under way: wait for its end")]
    TargetBusy,
    /// Locks of the target do not last.
    #[error("a pooler in transaction mode does not keep locks: name Postgres itself in --to")]
    Pooler,
    /// Something is in the target.
    #[error("the target is not empty (it has {0}): create a database for the copy")]
    NotEmpty(String),
    /// The target is an unfinished copy, and not of this source.
    #[error("the target is an unfinished copy of another database: create another one for this copy")]
    OfAnother,
    /// The target is an unfinished copy that another version has begun.
    #[error("another version of ledgerbell has begun this copy: create another database, and copy into that")]
    ByAnotherVersion,
    /// A table does not have the columns that the migrations give it.
    #[error("the columns of table {0} are not the same in both databases")]
    Columns(String),
    /// A value of the source cannot be stored in the column.
    #[error("table {table}, row {row} by its key, column {column}: {problem}")]
    Value {
        /// Which table.
        table: String,
        /// The number of the row in the order of the key, from 1 on.
        row: u64,
        /// Which column.
        column: String,
        /// Why it cannot be stored.
        problem: &'static str,
    },
    /// The target has other rows than the source.
    #[error(
        "table {table} is not the same in both databases from row {row} by its key on: one of them has changed since the copy began, \
         or the target changes what is written; create another database, and copy into that"
    )]
    Differs {
        /// Which table.
        table: String,
        /// The number of the row in the order of the key, from 1 on.
        row: u64,
    },
    /// The tables refer to each other in an order that is not possible.
    #[error(transparent)]
    Order(#[from] DistributionError),
    /// The source does not respond, or a statement failed.
    #[error("the source cannot be read: {0}")]
    Source(sqlx::Error),
    /// The target does not respond, or a statement failed.
    #[error("the target cannot be written: {0}")]
    Target(sqlx::Error),
    /// The target cannot be opened.
    #[error("the target: {0}")]
    Open(#[from] OpenError),
    /// The schema of the target cannot be created.
    #[error("the schema of the target cannot be created: {0}")]
    Create(#[from] Fault),
}

/// What a copy does at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyStep {
    /// Writes rows.
    Copying,
    /// Compares all rows.
    Comparing,
}

/// The progress of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyProgress<'a> {
    /// What it does.
    pub step: CopyStep,
    /// Which table.
    pub table: &'a str,
    /// The number of rows that this step is done with, of all tables.
    pub rows: u64,
    /// The number of rows in the source.
    pub rows_in_all: u64,
}

/// A copy whose rows are all written and compared. No process starts on it before [`Self::finish`]. The source is locked until it is
/// dropped.
#[derive(Debug)]
pub struct CompleteCopy {
    source: Source,
    target: Target,
    /// The number of its rows.
    pub rows: u64,
    /// The number of those that were there already, from a copy that was interrupted.
    pub rows_before: u64,
    /// The number of its tables.
    pub tables: usize,
    /// The tables of the source that are not of this program, and were not copied.
    pub left_out: Vec<String>,
}

/// Copies the SQLite database at `from` into the Postgres database at `to`, or completes a copy that was interrupted. Calls `progress`
/// from time to time.
///
/// # Errors
/// See [`CopyError`]. Then the target is unchanged, or an unfinished copy.
pub async fn copy(from: &str, to: &str, mut progress: impl FnMut(CopyProgress<'_>)) -> Result<CompleteCopy, CopyError> {
    let mut source = Source::lock(from).await?;
    let mut target = Target::open(to).await?;
    target.begin(source.epoch()).await?;
    let tables = target.tables().await?;
    let left_out = source.compare_tables(&tables).await?;
    let mut walk = Walk {
        rows_in_all: source.count(&tables).await?,
        rows: 0,
        step: CopyStep::Copying,
        progress: &mut progress,
    };
    let mut rows_before = 0;
    for table in &tables {
        rows_before += walk.copy(table, &mut source, &mut target).await?;
    }
    walk.step = CopyStep::Comparing;
    walk.rows = 0;
    for table in &tables {
        walk.compare(table, &mut source, &mut target).await?;
    }
    let rows = walk.rows;
    Ok(CompleteCopy {
        source,
        target,
        rows,
        rows_before,
        tables: tables.len(),
        left_out,
    })
}

impl CompleteCopy {
    /// Removes the mark of an unfinished copy.
    ///
    /// # Errors
    /// [`CopyError::Target`]. Then the copy may or may not be finished. Copying again decides it.
    pub async fn finish(mut self) -> Result<(), CopyError> {
        self.target.finish(self.source.epoch()).await?;
        self.source.release().await
    }
}

/// One pass over all tables.
struct Walk<'a, P> {
    step: CopyStep,
    rows: u64,
    rows_in_all: u64,
    progress: &'a mut P,
}

impl<P: FnMut(CopyProgress<'_>)> Walk<'_, P> {
    /// Compares the beginning of a table that the target has, and writes the rest. Returns the number of rows that it had.
    async fn copy(&mut self, table: &Table, source: &mut Source, target: &mut Target) -> Result<u64, CopyError> {
        let mut rows = source.rows(table);
        let mut had = 0;
        {
            let mut written = target.rows(table).await?;
            while let Some(line) = written.next().await? {
                had += 1;
                if rows.next().await? != Some(line.as_slice()) {
                    return Err(table.differs(had));
                }
                self.pass(table);
            }
        }
        let mut batch = Vec::new();
        while let Some(line) = rows.next().await? {
            batch.extend_from_slice(line);
            self.pass(table);
            if batch.len() >= BATCH {
                target.write(table, std::mem::take(&mut batch)).await?;
            }
        }
        target.write(table, batch).await?;
        Ok(had)
    }

    /// Compares all rows of a table.
    async fn compare(&mut self, table: &Table, source: &mut Source, target: &mut Target) -> Result<(), CopyError> {
        target.analyze(table).await?;
        let mut rows = source.rows(table);
        let mut written = target.rows(table).await?;
        let mut row = 0;
        loop {
            row += 1;
            let line = written.next().await?;
            match (rows.next().await?, line) {
                (None, None) => return Ok(()),
                (Some(sent), Some(found)) if sent == found => self.pass(table),
                _ => return Err(table.differs(row)),
            }
        }
    }

    fn pass(&mut self, table: &Table) {
        self.rows += 1;
        if self.rows.is_multiple_of(REPORT_EVERY) {
            (self.progress)(CopyProgress {
                step: self.step,
                table: &table.name,
                rows: self.rows,
                rows_in_all: self.rows_in_all,
            });
        }
    }
}
