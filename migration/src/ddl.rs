//! Migrations by one text of SQL for both databases.
//!
//! Words in braces are replaced. `{uuid}` and `{bytes}` are column types. `{clustered}` ends a table that SQLite keeps in the
//! order of its key. `{bytewise}` makes a text compare as bytes. `{whole a, b}` is used among the constraints: SQLite, which
//! would store any value in any column, then refuses values that are not integers in these columns. `{integer a}` does the same
//! after the type of a column.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::util::get_file_stem;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// A migration by statements of SQL, each run in order.
pub(crate) struct SqlMigration {
    /// The path of the source file, `file!()`. The name of the file is that of the migration.
    pub(crate) file: &'static str,
    pub(crate) up: &'static [&'static str],
    pub(crate) down: &'static [&'static str],
}

impl MigrationName for SqlMigration {
    fn name(&self) -> &str {
        get_file_stem(self.file)
    }
}

#[async_trait::async_trait]
impl MigrationTrait for SqlMigration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, self.up).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, self.down).await
    }
}

async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let backend = connection.get_database_backend();
    for statement in statements {
        connection.execute_unprepared(&render(statement, backend)).await?;
    }
    Ok(())
}

fn render(statement: &str, backend: DbBackend) -> String {
    let is_sqlite = backend == DbBackend::Sqlite;
    let mut rendered = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some((before, (word, after))) = rest
        .split_once('{')
        .and_then(|(before, tail)| Some((before, tail.split_once('}')?)))
    {
        rendered.push_str(before);
        match (word, is_sqlite) {
            ("uuid" | "bytes", true) => rendered.push_str("BLOB"),
            ("uuid", false) => rendered.push_str("UUID"),
            ("bytes", false) => rendered.push_str("BYTEA"),
            ("clustered", true) => rendered.push_str("WITHOUT ROWID"),
            ("bytewise", false) => rendered.push_str("COLLATE \"C\""),
            // Comparing bytes is the default of SQLite; the other words are for SQLite alone.
            ("bytewise", true) | (_, false) => {}
            (word, true) if word.starts_with("integer ") => {
                let column = word.trim_start_matches("integer ");
                rendered.push_str("CHECK (typeof(");
                rendered.push_str(column);
                rendered.push_str(") IN ('integer', 'null'))");
            }
            (_, true) => rendered.extend(
                word.trim_start_matches("whole ")
                    .split(", ")
                    .map(|column| format!("CHECK (typeof({column}) IN ('integer', 'null')), ")),
            ),
        }
        rest = after;
    }
    rendered.push_str(rest);
    rendered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_gets_its_own_words() {
        let added = "ALTER TABLE t ADD COLUMN e BIGINT {integer e}";
        assert_eq!(render(added, DbBackend::Postgres), "ALTER TABLE t ADD COLUMN e BIGINT ");
        assert_eq!(
            render(added, DbBackend::Sqlite),
            "ALTER TABLE t ADD COLUMN e BIGINT CHECK (typeof(e) IN ('integer', 'null'))"
        );
        let statement = "CREATE TABLE t (a {uuid}, b {bytes}, c BIGINT, {whole c, d}PRIMARY KEY (a)) {clustered}";
        assert_eq!(
            render(statement, DbBackend::Postgres),
            "CREATE TABLE t (a UUID, b BYTEA, c BIGINT, PRIMARY KEY (a)) "
        );
        assert_eq!(
            render(statement, DbBackend::Sqlite),
            "CREATE TABLE t (a BLOB, b BLOB, c BIGINT, CHECK (typeof(c) IN ('integer', 'null')), \
             CHECK (typeof(d) IN ('integer', 'null')), PRIMARY KEY (a)) WITHOUT ROWID"
        );
    }
}
