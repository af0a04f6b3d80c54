//! New rows for several tables, which are sent together.
//!
//! A statement on Postgres is a round trip, a plan to look up and a snapshot, and most statements of a posting write one row. So the rows
//! for all tables are one statement there: an INSERT with the others in its WITH clause. SQLite has no such statement, and no round trips.
//! A sharded Postgres refuses it. Both get one statement for each table.

use sea_orm::{ConnectionTrait as _, DbBackend, EntityTrait, Statement, Value};

use super::Transaction;
use super::bulk::Rows;
use crate::domain::fault::Fault;

/// Rows to write, of which nothing is written before [`Self::send`]. None of them is read or written by another part of the same statement, so the order of the parts has no meaning.
#[derive(Debug)]
pub(in crate::domain) struct Writes<'t> {
    tx: &'t Transaction,
    parts: Vec<(String, Value)>,
}

impl<'t> Writes<'t> {
    /// Returns no rows, to write in this transaction.
    pub(in crate::domain) const fn of(tx: &'t Transaction) -> Self {
        Self { tx, parts: Vec::new() }
    }

    /// Adds rows to insert into the table of an entity.
    pub(in crate::domain) fn insert_all<E: EntityTrait>(&mut self, rows: &Rows) {
        if !rows.is_empty() {
            let text = rows.insert_into_text::<E>(self.tx.get_database_backend(), self.parameter());
            self.parts.push((text, rows.value()));
        }
    }

    /// Adds rows to insert into the table of an entity. They replace those with the same primary key.
    pub(in crate::domain) fn save_all<E: EntityTrait>(&mut self, rows: &Rows) {
        if !rows.is_empty() {
            let text = rows.save_text::<E>(self.tx.get_database_backend(), self.parameter());
            self.parts.push((text, rows.value()));
        }
    }

    /// Writes what was added. Later statements of the transaction see it.
    pub(in crate::domain) async fn send(&mut self) -> Result<(), Fault> {
        let parts = std::mem::take(&mut self.parts);
        let backend = self.tx.get_database_backend();
        if self.tx.joins_writes() {
            if let Some(statement) = joined(backend, parts) {
                self.tx.execute_raw(statement).await?;
            }
        } else {
            for (text, rows) in parts {
                let statement = Statement::from_sql_and_values(backend, text, [rows]);
                self.tx.execute_raw(statement).await?;
            }
        }
        Ok(())
    }

    fn parameter(&self) -> usize {
        if self.tx.joins_writes() {
            self.parts.len() + 1
        } else {
            1
        }
    }
}

/// Returns one statement of all parts: the last one, with the others in its WITH clause.
fn joined(backend: DbBackend, parts: Vec<(String, Value)>) -> Option<Statement> {
    let (texts, values): (Vec<String>, Vec<Value>) = parts.into_iter().unzip();
    let (last, others) = texts.split_last()?;
    let named = others.iter().enumerate();
    let named: Vec<String> = named.map(|(at, text)| format!("part_{at} AS ({text})")).collect();
    let sql = if named.is_empty() {
        last.clone()
    } else {
        format!("WITH {} {last}", named.join(", "))
    };
    Some(Statement::from_sql_and_values(backend, sql, values))
}
