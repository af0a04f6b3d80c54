//! Pages of lists, by keyset.

/// Items when neither `first` nor `last` is given.
pub const DEFAULT_PAGE_SIZE: u32 = 20;
/// Items of a page, at most.
pub const MAX_PAGE_SIZE: u32 = 100;

/// The order of a list by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortOrder {
    /// The newest item comes first.
    NewestFirst,
    /// The oldest item comes first.
    OldestFirst,
}

/// A request for a page of a list, in Relay's terms and validated: never both directions, never more than [`MAX_PAGE_SIZE`].
///
/// Asking for more than [`MAX_PAGE_SIZE`] is not an error: the page has that many items, and reports that there is a next
/// page.
///
/// `P` is the position type of the list. The page contains items strictly between `after` and `before`, and of those the
/// first `limit`, or the last `limit` when `backward`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest<P> {
    /// Items, at most; 0 asks for none.
    pub limit: u32,
    /// Takes the last items of the range instead of the first. They still come in the list's order.
    pub backward: bool,
    /// Only items after this position in the list's order.
    pub after: Option<P>,
    /// Only items before this position in the list's order.
    pub before: Option<P>,
}

/// Why paging arguments are invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageRequestError {
    /// Both directions were given.
    #[error("must be left out where first is given")]
    FirstAndLast,
    /// The number of items is negative.
    #[error("must not be negative")]
    Negative(&'static str),
}

impl PageRequestError {
    /// The argument to change.
    pub const fn argument(self) -> &'static str {
        match self {
            Self::FirstAndLast => "last",
            Self::Negative(argument) => argument,
        }
    }
}

impl<P> PageRequest<P> {
    /// Requests the first items after a position; from the beginning without one.
    pub const fn forward(limit: u32, after: Option<P>) -> Self {
        Self {
            limit,
            backward: false,
            after,
            before: None,
        }
    }

    /// Converts Relay's arguments.
    pub fn new(
        first: Option<i32>,
        after: Option<P>,
        last: Option<i32>,
        before: Option<P>,
    ) -> Result<Self, PageRequestError> {
        let (size, backward, argument) = match (first, last) {
            (Some(_), Some(_)) => return Err(PageRequestError::FirstAndLast),
            (None, Some(last)) => (Some(last), true, "last"),
            (first, None) => (first, false, "first"),
        };
        let limit = match size.map(u32::try_from) {
            None => DEFAULT_PAGE_SIZE,
            Some(Ok(size)) => size.min(MAX_PAGE_SIZE),
            Some(Err(_)) => return Err(PageRequestError::Negative(argument)),
        };
        Ok(Self {
            limit,
            backward,
            after,
            before,
        })
    }
}

/// One page of a list, in the list's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, P> {
    /// The items, each with its position.
    pub items: Vec<(P, T)>,
    /// Whether items follow this page.
    pub has_next: bool,
    /// Whether items come before this page.
    pub has_previous: bool,
    /// The position at which the next page continues when that is not after the last item. Work for each page is bounded,
    /// so a page may end, even empty, before a further item was found.
    pub scanned_to: Option<P>,
}

impl<T, P> Page<T, P> {
    /// Makes a page from rows in scan order, one more than `limit` where there are more.
    pub fn from_scan(mut rows: Vec<(P, T)>, request: &PageRequest<P>) -> Self {
        let more = rows.len() > request.limit as usize;
        rows.truncate(request.limit as usize);
        if request.backward {
            rows.reverse();
        }
        let (has_next, has_previous) = if request.backward {
            (request.before.is_some(), more)
        } else {
            (more, request.after.is_some())
        };
        Self {
            items: rows,
            has_next,
            has_previous,
            scanned_to: None,
        }
    }

    /// Returns the same page with other items.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> Page<U, P> {
        Page {
            items: self
                .items
                .into_iter()
                .map(|(position, item)| (position, change(item)))
                .collect(),
            has_next: self.has_next,
            has_previous: self.has_previous,
            scanned_to: self.scanned_to,
        }
    }
}
