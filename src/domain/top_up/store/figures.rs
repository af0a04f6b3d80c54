//! Counts rows in progress across accounts. A condition on the first column of a partial index makes both databases scan that
//! index, which contains no finished rows.

use crate::domain::database::{Database, MOST_COUNTED, records};
use crate::domain::fault::Fault;
use crate::domain::top_up::figures::TopUpFigures;
use crate::domain::top_up::model::TopUpStatus;

const UNKNOWN: &str =
    "SELECT COALESCE(unknown_since, created_at) AS since FROM top_up_attempt WHERE due_at > 0 AND outcome = 'UNKNOWN'";

pub(in super::super) async fn figures(database: &Database) -> Result<TopUpFigures, Fault> {
    Ok(TopUpFigures {
        open: open(database).await?,
        unknown: database.count_pending(UNKNOWN).await?,
    })
}

async fn open(database: &Database) -> Result<Vec<(TopUpStatus, i64)>, Fault> {
    let sql = format!(
        "SELECT t.status AS status, COUNT(*) AS many FROM (
             SELECT account_id, top_up_id FROM top_up_attempt WHERE due_at > 0 LIMIT {MOST_COUNTED}) AS a
         JOIN top_up AS t ON t.account_id = a.account_id AND t.id = a.top_up_id GROUP BY t.status"
    );
    records::values(database.read(), sql, []).await
}
