//! The common fields of all live events.

use async_graphql::{Enum, Interface};

use crate::graphql::ledger::{BalanceEvent, CreditEntryEvent, SessionEvent};
use crate::graphql::member::AccountEvent;
use crate::graphql::notification::{AlertEvent, AlertsEvent};
use crate::graphql::scalars::LiveCursorText;
use crate::graphql::top_up::TopUpEvent;
use crate::graphql::troubleshooting::TroubleshootingEvent;

/// The purpose of a live event.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LiveSignal {
    /// The event contains its object.
    Item,
    /// The history is complete, and live events follow. It is the first event of a stream without history.
    CaughtUp,
    /// No event for this subscription, but store this cursor. Sent at most every 30 s.
    Position,
    /// The cursor is too old or of another epoch, or your rights have changed: query again, and continue from this cursor.
    Reset,
}

/// The common fields of all subscription events.
#[derive(Interface)]
#[graphql(
    field(
        name = "cursor",
        ty = "LiveCursorText",
        desc = "The position after this event: continue from here."
    ),
    field(name = "signal", ty = "LiveSignal", desc = "The purpose of this event."),
    field(
        name = "replayed",
        ty = "bool",
        desc = "Whether it happened before this stream began, and is sent because of its cursor."
    )
)]
pub(crate) enum LiveEvent {
    CreditEntry(CreditEntryEvent),
    Balance(BalanceEvent),
    Session(SessionEvent),
    TopUp(TopUpEvent),
    Account(AccountEvent),
    Alert(AlertEvent),
    Alerts(AlertsEvent),
    Troubleshooting(TroubleshootingEvent),
}

/// Declares the payload of a subscription: the common fields, and its own fields.
macro_rules! live_event {
    ($(#[$doc:meta])* $name:ident { $($fields:tt)* }) => {
        $(#[$doc])*
        pub(crate) struct $name(pub(in crate::graphql) $crate::graphql::live::Moment);

        $(#[$doc])*
        #[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
        #[async_graphql::Object]
        impl $name {
            /// The position after this event: continue from here.
            pub(in crate::graphql) async fn cursor(&self) -> $crate::graphql::scalars::LiveCursorText {
                $crate::graphql::scalars::LiveCursorText(self.0.cursor.encode())
            }

            /// The purpose of this event.
            pub(in crate::graphql) async fn signal(&self) -> $crate::graphql::live::LiveSignal {
                self.0.signal
            }

            /// Whether the event happened before this stream began, and is sent because of its cursor.
            pub(in crate::graphql) async fn replayed(&self) -> bool {
                self.0.replayed
            }

            $($fields)*
        }
    };
}
pub(in crate::graphql) use live_event;
