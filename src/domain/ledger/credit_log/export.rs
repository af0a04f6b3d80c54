//! The whole log as a stream of chunks. It is never in memory as a whole.

use futures_util::{Stream, stream};

use crate::domain::fault::{Fault, QueryError};
use crate::primitives::page::PageRequest;

use super::model::ExportRow;
use super::servers::ChunkQuery;
use super::store::selection::{Asked, Selection};
use super::{CreditLog, store};

/// Lines read at once.
const CHUNK: u32 = 1_000;

/// How far an export has read: the last sequence that was scanned, or the end.
enum Progress {
    After(Option<i64>),
    Done,
}

/// Streams what was asked for, oldest first. It ends with the entry that was the last one at the start; otherwise an export of a
/// busy log would never end. A replica may begin a file that the primary ends.
pub(super) async fn stream(
    log: CreditLog,
    asked: Asked<'_>,
) -> Result<impl Stream<Item = Result<Vec<ExportRow>, Fault>> + Send + use<>, Fault> {
    let mut selection = Selection::new(&log.database, &asked).await?;
    if asked.end.is_none() {
        let last = store::last_sequence(&log.database, asked.account_id).await?;
        selection.to = selection.to.min(last);
    }
    let start = (log, selection, Progress::After(None));
    Ok(stream::try_unfold(start, |(log, selection, mut progress)| async move {
        // A bounded scan may find nothing before it reaches the end.
        while let Progress::After(after) = progress {
            let request = PageRequest::forward(CHUNK, after);
            let chunk = ChunkQuery {
                selection: &selection,
                request: &request,
            };
            let page = log.answer(&chunk).await.map_err(QueryError::into_fault)?;
            let last = page.items.last().map(|(sequence, _)| *sequence);
            progress = if page.has_next {
                Progress::After(page.scanned_to.or(last))
            } else {
                Progress::Done
            };
            if !page.items.is_empty() {
                let rows = page.items.into_iter().map(|(_, row)| row).collect();
                return Ok(Some((rows, (log, selection, progress))));
            }
        }
        Ok(None)
    }))
}
