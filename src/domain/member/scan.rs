//! Lists with filters that have no index: a page reads a bounded number of rows.

use crate::primitives::page::{Page, PageRequest};

/// Rows that one page reads. A page ends there, even empty, and the next one continues.
const MAX_SCANNED: u32 = 1_000;
/// Rows of a further query, when the first one did not fill the page.
const FURTHER: u32 = 250;

/// One page in progress.
#[derive(Debug)]
pub(super) struct Scan<T, P> {
    limit: usize,
    is_continued: bool,
    position: Option<P>,
    scanned: u32,
    asked: u32,
    is_over: bool,
    kept: Vec<(P, T)>,
}

impl<T, P: Copy> Scan<T, P> {
    pub(super) fn new(request: &PageRequest<P>) -> Self {
        Self {
            limit: request.limit as usize,
            is_continued: request.after.is_some(),
            position: request.after,
            scanned: 0,
            asked: 0,
            is_over: request.limit == 0,
            kept: Vec::new(),
        }
    }

    /// Returns which rows to read next: those after a position, and their number. `None` when the page is
    /// complete.
    pub(super) fn next(&mut self) -> Option<(Option<P>, u64)> {
        // One row more than the page holds shows whether there is a next page.
        if self.is_over || self.kept.len() > self.limit || self.scanned >= MAX_SCANNED {
            return None;
        }
        let wanted = if self.scanned == 0 {
            u32::try_from(self.limit).unwrap_or(MAX_SCANNED).saturating_add(1)
        } else {
            FURTHER
        };
        self.asked = wanted.min(MAX_SCANNED - self.scanned);
        Some((self.position, u64::from(self.asked)))
    }

    /// Adds the rows that were read, in order.
    pub(super) fn take(&mut self, rows: Vec<T>, position: impl Fn(&T) -> P, keep: impl Fn(&T) -> bool) {
        self.is_over = rows.len() < self.asked as usize;
        self.scanned = self.scanned.saturating_add(self.asked);
        for row in rows {
            let at = position(&row);
            self.position = Some(at);
            if keep(&row) {
                self.kept.push((at, row));
            }
        }
    }

    pub(super) fn finish(mut self) -> Page<T, P> {
        let is_full = self.kept.len() > self.limit;
        self.kept.truncate(self.limit);
        Page {
            has_next: is_full || !self.is_over,
            has_previous: self.is_continued,
            // A full page continues after its last item, as pages do.
            scanned_to: if is_full || self.is_over { None } else { self.position },
            items: self.kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rows: u32, limit: u32, after: Option<u32>, keep: impl Fn(&u32) -> bool) -> (Page<u32, u32>, u32) {
        let request = PageRequest::forward(limit, after);
        let mut scan = Scan::new(&request);
        let mut looks = 0;
        while let Some((after, most)) = scan.next() {
            let first = after.map_or(0, |after| after + 1);
            let most = u32::try_from(most).expect("small");
            scan.take((first..rows).take(most as usize).collect(), |row| *row, &keep);
            looks += 1;
        }
        (scan.finish(), looks)
    }

    #[test]
    fn an_unfiltered_page_takes_one_look() {
        let (page, looks) = page(100, 20, None, |_| true);
        assert_eq!(
            (page.items.len(), page.has_next, page.scanned_to, looks),
            (20, true, None, 1)
        );
    }

    #[test]
    fn the_last_page_has_no_next() {
        let (page, _) = page(25, 20, Some(19), |_| true);
        assert_eq!((page.items.len(), page.has_next, page.has_previous), (5, false, true));
        let (exact, _) = self::page(20, 20, None, |_| true);
        assert_eq!((exact.items.len(), exact.has_next), (20, false));
    }

    #[test]
    fn a_rare_match_ends_the_page_where_the_scan_ended() {
        let (first, looks) = page(5_000, 20, None, |row| *row == 4_000);
        assert_eq!((first.items.len(), first.has_next, looks), (0, true, 5));
        assert_eq!(first.scanned_to, Some(999));
        let mut after = None;
        let found = loop {
            let (page, _) = page(5_000, 20, after, |row| *row == 4_000);
            if let Some((_, row)) = page.items.first() {
                break *row;
            }
            after = page.scanned_to;
        };
        assert_eq!(found, 4_000);
    }

    #[test]
    fn nothing_asked_is_nothing_looked_at() {
        let (page, looks) = page(100, 0, None, |_| true);
        assert_eq!((page.items.len(), looks), (0, 0));
        assert!(!page.has_next);
    }
}
