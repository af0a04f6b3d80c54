//! Rewrites stored search text into the current form, once, when the schema is upgraded.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement, Value};
use uuid::Uuid;

use crate::domain::ledger::credit_log::search::{FORM, searchable};

/// Rows that are read together.
const AT_ONCE: i64 = 500;

/// Rewrites the search text of sessions and entries that is in an older form. Plain ASCII is the same in both forms.
pub async fn bring_search_up_to_date(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    let backend = tx.get_database_backend();
    let found = "SELECT search_form FROM installation WHERE search_form < $1";
    let found = Statement::from_sql_and_values(backend, found, [FORM.into()]);
    if tx.query_one_raw(found).await?.is_none() {
        return Ok(());
    }
    rewrite_sessions(tx).await?;
    rewrite_entries(tx).await?;
    let done = Statement::from_sql_and_values(backend, "UPDATE installation SET search_form = $1", [FORM.into()]);
    tx.execute_raw(done).await?;
    Ok(())
}

/// Whether one of these columns contains more than ASCII.
fn beyond_ascii(backend: DbBackend, columns: &[&str]) -> String {
    let test = |column: &&str| match backend {
        DbBackend::Sqlite => format!("length(CAST({column} AS BLOB)) <> length({column})"),
        _ => format!("octet_length({column}) <> char_length({column})"),
    };
    columns.iter().map(test).collect::<Vec<_>>().join(" OR ")
}

async fn rewrite_sessions(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    let backend = tx.get_database_backend();
    let select = format!(
        "SELECT account_id, id, title, external_id, search_text FROM session \
         WHERE (account_id > $1 OR (account_id = $1 AND id > $2)) AND ({}) ORDER BY account_id, id LIMIT {AT_ONCE}",
        beyond_ascii(backend, &["title", "external_id", "search_text"])
    );
    let mut after = (i64::MIN, Uuid::nil());
    loop {
        let values = [after.0.into(), after.1.into()];
        let rows = tx
            .query_all_raw(Statement::from_sql_and_values(backend, &select, values))
            .await?;
        for row in &rows {
            let (account_id, id, title, external_id, old): (i64, Uuid, String, Option<String>, String) =
                row.try_get_many_by_index()?;
            let kept = searchable(&format!("{title} {}", external_id.unwrap_or_default()));
            let update = "UPDATE session SET search_text = $1 WHERE account_id = $2 AND id = $3";
            write(tx, (update, kept, old), [account_id.into(), id.into()]).await?;
            after = (account_id, id);
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

type EntryTexts = (i64, i64, String, String, Option<String>, Option<String>);

async fn rewrite_entries(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    let backend = tx.get_database_backend();
    let select = format!(
        "SELECT e.account_id, e.sequence, e.description, e.search_text, s.title, s.external_id FROM credit_entry AS e \
         LEFT JOIN session AS s ON s.account_id = e.account_id AND s.id = e.session_id \
         WHERE (e.account_id > $1 OR (e.account_id = $1 AND e.sequence > $2)) AND ({}) \
         ORDER BY e.account_id, e.sequence LIMIT {AT_ONCE}",
        beyond_ascii(backend, &["e.description", "e.search_text", "s.title", "s.external_id"])
    );
    let mut after = (i64::MIN, i64::MIN);
    loop {
        let values = [after.0.into(), after.1.into()];
        let rows = tx
            .query_all_raw(Statement::from_sql_and_values(backend, &select, values))
            .await?;
        for row in &rows {
            let row: EntryTexts = row.try_get_many_by_index()?;
            let (account_id, sequence, description, old, title, external_id) = row;
            let texts = [Some(description), title, external_id].into_iter().flatten();
            let mut kept = searchable(&texts.collect::<Vec<_>>().join(" "));
            // Other words that found it before: a title that was changed since.
            for word in old.split_whitespace().map(searchable) {
                if !kept.contains(&word) {
                    kept.push_str(&word);
                }
            }
            let update = "UPDATE credit_entry SET search_text = $1 WHERE account_id = $2 AND sequence = $3";
            write(tx, (update, kept, old), [account_id.into(), sequence.into()]).await?;
            after = (account_id, sequence);
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

/// Writes the search text of a row where it has changed.
async fn write(
    tx: &DatabaseTransaction,
    (update, kept, old): (&str, String, String),
    [account, row]: [Value; 2],
) -> Result<(), DbErr> {
    if kept == old {
        return Ok(());
    }
    let values = [kept.into(), account, row];
    tx.execute_raw(Statement::from_sql_and_values(
        tx.get_database_backend(),
        update,
        values,
    ))
    .await?;
    Ok(())
}
