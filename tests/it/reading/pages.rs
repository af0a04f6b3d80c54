//! Lists that are read page by page.

use ledgerbell::domain::fault::QueryError;
use ledgerbell::primitives::page::{Page, PageRequest};

/// Reads all pages of a list in one direction. Returns all items in the order of the list.
pub(crate) async fn walk<T, P: Copy>(
    backward: bool,
    limit: u32,
    page: impl AsyncFn(&PageRequest<P>) -> Result<Page<T, P>, QueryError>,
) -> Vec<T> {
    let mut request = PageRequest {
        limit,
        backward,
        after: None,
        before: None,
    };
    let mut all = Vec::new();
    loop {
        let page = page(&request).await.expect("a page");
        assert!(page.items.len() <= limit as usize);
        let (more, edge) = if backward {
            (page.has_previous, page.items.first())
        } else {
            (page.has_next, page.items.last())
        };
        let position = page.scanned_to.or(edge.map(|(position, _)| *position));
        let items = page.items.into_iter().map(|(_, item)| item);
        if backward {
            all.splice(0..0, items);
            request.before = position;
        } else {
            all.extend(items);
            request.after = position;
        }
        if !more {
            return all;
        }
        assert!(position.is_some(), "more is promised, but not from where");
    }
}
