//! Lists in the form of Relay connections: pages by keyset, with cursors that are bound to their filter and order.

use std::ops::Deref;

use async_graphql::{Context, SimpleObject};
use uuid::Uuid;

use super::errors::ApiError;
use crate::primitives::clock::Timestamp;
use crate::primitives::cursor::{CursorScope, InvalidCursor};
use crate::primitives::ids::{
    AccountId, AlertId, DeliveryId, LotId, MemberId, SessionId, TopUpDecisionId, TopUpId, WebhookMessageId,
};
use crate::primitives::page::{Page, PageRequest};

/// The position of a page in its list.
#[derive(SimpleObject, Clone, Debug, Default)]
pub(super) struct PageInfo {
    /// Whether there may be items after this page.
    pub has_next_page: bool,
    /// Whether there may be items before this page.
    pub has_previous_page: bool,
    /// Pass this as `before` to get the previous page. Null when the page is empty and no item was examined.
    pub start_cursor: Option<String>,
    /// Pass this as `after` to get the next page. It may be beyond the last item, where the work limit per page was reached.
    pub end_cursor: Option<String>,
}

/// Returns whether the client selects rows of the page or its position. Otherwise it requests totals or counts, and the page is not read.
pub(super) fn selects_page(ctx: &Context<'_>, first: Option<i32>) -> bool {
    let selected = ctx.look_ahead();
    let selects = |field: &&str| selected.field(field).exists();
    selects(&"pageInfo") || (first != Some(0) && ["nodes", "edges", "items"].iter().any(selects))
}

/// A position in a list, encoded as bytes in a cursor.
pub(super) trait Position: Sized {
    fn to_bytes(&self) -> Vec<u8>;
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl Position for i64 {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

impl Position for String {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_utf8(bytes.to_vec()).ok()
    }
}

impl Position for AccountId {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let id: crate::primitives::ids::GlobalId = std::str::from_utf8(bytes).ok()?.parse().ok()?;
        Some(id.account_id)
    }
}

impl Position for (Timestamp, i64) {
    fn to_bytes(&self) -> Vec<u8> {
        [self.0.millis().to_be_bytes(), self.1.to_be_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (millis, number) = bytes.split_at_checked(8)?;
        let integer = |bytes: &[u8]| Some(i64::from_be_bytes(bytes.try_into().ok()?));
        Some((Timestamp::from_millis(integer(millis)?), integer(number)?))
    }
}

/// Declares positions in lists that are ordered by time. The UUID of the item follows the time, because times may be equal.
macro_rules! timed_position {
    ($($id:ident)*) => {$(
        impl Position for (Timestamp, $id) {
            fn to_bytes(&self) -> Vec<u8> {
                let mut bytes = self.0.millis().to_be_bytes().to_vec();
                bytes.extend_from_slice(self.1.uuid().as_bytes());
                bytes
            }

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let (millis, uuid) = bytes.split_at_checked(8)?;
                Some((
                    Timestamp::from_millis(i64::from_be_bytes(millis.try_into().ok()?)),
                    $id::from_uuid(Uuid::from_slice(uuid).ok()?),
                ))
            }
        }
    )*};
}

timed_position!(SessionId LotId MemberId TopUpId TopUpDecisionId AlertId DeliveryId WebhookMessageId);

/// Relay's four arguments, unchecked.
#[derive(Debug)]
pub(super) struct PageArguments {
    pub first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

impl PageArguments {
    /// Returns the arguments of a list that has pages in both directions.
    pub(super) fn both(
        (first, after): (Option<i32>, Option<String>),
        (last, before): (Option<i32>, Option<String>),
    ) -> Self {
        Self {
            first,
            after,
            last,
            before,
        }
    }

    /// Returns the arguments of a list that has forward pages only.
    pub(super) fn forward(first: Option<i32>, after: Option<String>) -> Self {
        Self::both((first, after), (None, None))
    }

    /// Returns the requested page of `list`.
    pub(super) fn request<P: Position>(self, list: CursorScope) -> Result<RequestedPage<P>, ApiError> {
        let position = |argument: &str, cursor: Option<String>| {
            let position = cursor.map(|cursor| {
                let bytes = list.decode(&cursor).ok();
                let position = bytes.and_then(|bytes| P::from_bytes(&bytes));
                position.ok_or_else(|| ApiError::invalid(argument, InvalidCursor.to_string()))
            });
            position.transpose()
        };
        let (after, before) = (position("after", self.after)?, position("before", self.before)?);
        let request = PageRequest::new(self.first, after, self.last, before)
            .map_err(|error| ApiError::invalid(error.argument(), error.to_string()))?;
        Ok(RequestedPage { request, list })
    }
}

/// A requested page of one list. Reads as the request of the domain.
#[derive(Debug)]
pub(super) struct RequestedPage<P> {
    request: PageRequest<P>,
    list: CursorScope,
}

impl<P> Deref for RequestedPage<P> {
    type Target = PageRequest<P>;

    fn deref(&self) -> &PageRequest<P> {
        &self.request
    }
}

impl<P: Position> RequestedPage<P> {
    /// Returns the items of the page with their cursors, and the page info.
    pub(super) fn relay<T>(&self, page: Page<T, P>) -> (Vec<(String, T)>, PageInfo) {
        let cursor = |position: &P| self.list.encode(&position.to_bytes());
        let reached = page.scanned_to.as_ref().map(cursor);
        let (before, after) = if self.request.backward {
            (reached, None)
        } else {
            (None, reached)
        };
        let (has_next_page, has_previous_page) = (page.has_next, page.has_previous);
        let items = page.items.into_iter();
        let items: Vec<_> = items.map(|(position, item)| (cursor(&position), item)).collect();
        let page_info = PageInfo {
            has_next_page,
            has_previous_page,
            start_cursor: before.or_else(|| items.first().map(|(cursor, _)| cursor.clone())),
            end_cursor: after.or_else(|| items.last().map(|(cursor, _)| cursor.clone())),
        };
        (items, page_info)
    }
}

/// Declares a connection and its edge for a node type. With `with live_cursor`, each page includes the position in the
/// account's stream from which the list can be followed.
macro_rules! connection {
    ($(#[$doc:meta])* $connection:ident, $edge:ident of $node:ident $(with $live_cursor:ident)?) => {
        /// One item of a page, and its cursor.
        #[derive(Clone)]
        pub(crate) struct $edge {
            cursor: String,
            node: $node,
        }

        /// One item of a page, and its cursor.
        #[async_graphql::Object]
        impl $edge {
            /// The position of the item in this list, with this filter and order.
            async fn cursor(&self) -> &str {
                &self.cursor
            }

            /// The item.
            async fn node(&self) -> &$node {
                &self.node
            }
        }

        $(#[$doc])*
        pub(crate) struct $connection {
            edges: Vec<$edge>,
            page_info: crate::graphql::connection::PageInfo,
            $($live_cursor: crate::graphql::live::Followed,)?
        }

        impl $connection {
            pub(in crate::graphql) fn new(
                (items, page_info): (Vec<(String, $node)>, crate::graphql::connection::PageInfo),
                $($live_cursor: crate::graphql::live::Followed,)?
            ) -> Self {
                let edges = items.into_iter().map(|(cursor, node)| $edge { cursor, node }).collect();
                Self { edges, page_info, $($live_cursor,)? }
            }
        }

        $(#[$doc])*
        #[async_graphql::Object]
        impl $connection {
            /// The items with their cursors.
            async fn edges(&self) -> &[$edge] {
                &self.edges
            }

            /// The items without their cursors.
            async fn nodes(&self) -> Vec<&$node> {
                self.edges.iter().map(|edge| &edge.node).collect()
            }

            /// The position of the page in the list.
            async fn page_info(&self) -> &crate::graphql::connection::PageInfo {
                &self.page_info
            }

            $(
                /// The position in the account's event stream just before this page was read: follow the list from here. It
                /// belongs to this list, so a cache stores it with the page. Unlike account.liveCursor, no other query moves
                /// it.
                async fn $live_cursor(
                    &self,
                    ctx: &async_graphql::Context<'_>,
                ) -> Result<crate::graphql::scalars::LiveCursorText, crate::graphql::errors::ApiError> {
                    self.$live_cursor.text(ctx).await
                }
            )?
        }
    };
}

pub(super) use connection;
