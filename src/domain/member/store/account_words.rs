//! The words of an account's name and external id, by which the platform's list finds it.

use std::collections::BTreeSet;

use entity::account_word;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Statement, Value};

use crate::domain::database::bulk::{Record, Rows};
use crate::domain::ledger::credit_log::search::{FORM, searchable};
use crate::primitives::ids::AccountId;

/// Accounts that are read together.
const AT_ONCE: i64 = 500;

#[derive(Record)]
struct Word<'a> {
    account_id: AccountId,
    #[record(text)]
    word: &'a str,
}

/// Returns the text of an account in the form for searching.
pub(super) fn search_text(name: &str, external_id: Option<&str>) -> String {
    searchable(&format!("{name} {}", external_id.unwrap_or_default()))
}

/// Replaces the words of an account with those of its searchable text.
pub(super) async fn save_words(
    tx: &impl ConnectionTrait,
    account_id: AccountId,
    search_text: &str,
) -> Result<(), DbErr> {
    let backend = tx.get_database_backend();
    let delete = "DELETE FROM account_word WHERE account_id = $1";
    tx.execute_raw(Statement::from_sql_and_values(backend, delete, [account_id.into()]))
        .await?;
    let words: BTreeSet<&str> = search_text.split_whitespace().collect();
    let rows = Rows::of(words.into_iter().map(|word| Word { account_id, word }));
    if !rows.is_empty() {
        tx.execute_raw(rows.insert_into::<account_word::Entity>(backend))
            .await?;
    }
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
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            let (account_id, name, external_id): (AccountId, String, Option<String>) = row.try_get_many_by_index()?;
            after = account_id.number();
            let text = search_text(&name, external_id.as_deref());
            save_words(tx, account_id, &text).await?;
            let update = "UPDATE account SET search_text = $1 WHERE account_id = $2";
            let values: [Value; 2] = [text.into(), account_id.into()];
            tx.execute_raw(Statement::from_sql_and_values(backend, update, values))
                .await?;
        }
    }
}
