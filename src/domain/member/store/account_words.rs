//! The words of an account's name and external id, by which the platform's list finds it.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Statement, Value};

use crate::domain::database::bulk::{Columns, Kind, Rows};
use crate::domain::ledger::credit_log::search::{FORM, searchable};

/// Accounts that are read together.
const AT_ONCE: i64 = 500;

const WORDS: Columns = &[("account_id", Kind::BigInt), ("word", Kind::Text)];

/// Returns the text of an account in the form for searching.
pub(super) fn search_text(name: &str, external_id: Option<&str>) -> String {
    searchable(&format!("{name} {}", external_id.unwrap_or_default()))
}

/// Replaces the words of an account with those of its searchable text.
pub(super) async fn save_words(tx: &impl ConnectionTrait, account_id: i64, search_text: &str) -> Result<(), DbErr> {
    let backend = tx.get_database_backend();
    let delete = "DELETE FROM account_word WHERE account_id = $1";
    tx.execute_raw(Statement::from_sql_and_values(backend, delete, [account_id.into()]))
        .await?;
    let mut rows = Rows::new(WORDS);
    for word in search_text.split_whitespace().collect::<BTreeSet<_>>() {
        rows.push([account_id.into(), word.into()]);
    }
    if rows.is_empty() {
        return Ok(());
    }
    let insert = format!(
        "INSERT INTO account_word (account_id, word) SELECT r.account_id, r.word FROM {}",
        rows.relation(backend, 1)
    );
    tx.execute_raw(rows.statement(backend, insert)).await?;
    Ok(())
}

/// Writes the words of accounts that have none in the current form, once, when the schema is upgraded. To be called before the ledger
/// brings its own text up to date.
pub async fn bring_account_words_up_to_date(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    let backend = tx.get_database_backend();
    let is_old = "SELECT search_form FROM installation WHERE search_form < $1";
    let is_old = Statement::from_sql_and_values(backend, is_old, [FORM.into()]);
    if tx.query_one_raw(is_old).await?.is_some() {
        tx.execute_unprepared("UPDATE account SET search_text = NULL").await?;
    }
    let select = format!(
        "SELECT account_id, name, external_id FROM account WHERE search_text IS NULL AND account_id > $1 \
         ORDER BY account_id LIMIT {AT_ONCE}"
    );
    let mut after = i64::MIN;
    loop {
        let found = Statement::from_sql_and_values(backend, &select, [after.into()]);
        let rows = tx.query_all_raw(found).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.try_get("", "account_id")?;
        for row in &rows {
            let (account_id, name): (i64, String) = (row.try_get("", "account_id")?, row.try_get("", "name")?);
            let external_id: Option<String> = row.try_get("", "external_id")?;
            let text = search_text(&name, external_id.as_deref());
            save_words(tx, account_id, &text).await?;
            let update = "UPDATE account SET search_text = $1 WHERE account_id = $2";
            let values: [Value; 2] = [text.into(), account_id.into()];
            tx.execute_raw(Statement::from_sql_and_values(backend, update, values))
                .await?;
        }
    }
}
