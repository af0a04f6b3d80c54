//! SQL of exports.

use crate::domain::database::keyset::Beside;
use crate::domain::database::records;
use crate::domain::database::select::Source;
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::model::ExportRow;
use crate::primitives::page::{Page, PageRequest};

use super::selection::Selection;

/// The names of an entry's session.
const OF_SESSION: Beside = Beside {
    columns: "s.title AS session_title, s.external_id AS session_external_id",
    table: "session AS s ON s.account_id = $1 AND s.id = page.session_id",
};

/// Returns the next entries of a selection, oldest first, with the names of their sessions. One statement reads both, so the database
/// works on all of a chunk while the one before is written.
pub(in crate::domain::ledger::credit_log) async fn chunk(
    source: &impl Source,
    selection: &Selection,
    request: &PageRequest<i64>,
) -> Result<Page<ExportRow, i64>, Fault> {
    let mut keyset = selection.keyset();
    keyset.beside = Some(OF_SESSION);
    keyset.turn_to(false, request, |sequence| sequence);
    let scan = keyset.scan(source, selection.account_id, request.limit).await?;
    scan.into_page(
        request,
        |sequence| sequence,
        |row| {
            Ok(ExportRow {
                entry: records::record(row)?,
                session_title: row.try_get("", "session_title")?,
                session_external_id: row.try_get("", "session_external_id")?,
            })
        },
    )
}
