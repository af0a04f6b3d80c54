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

/// Declares subscriptions: their event, their own arguments, and the interest that follows from these.
macro_rules! subscriptions {
    ($(#[$of:meta])* $root:ident {$(
        $(#[$meta:meta])*
        $name:ident($ctx:ident $(, $argument:ident: $type:ty = $desc:tt)*) -> $event:ident {
            account_id: $whose:tt,
            after: $after:tt,
            interest: $interest:expr,
        }
    )+}) => {
        $(#[$of])*
        #[derive(Default)]
        pub(crate) struct $root;

        $(#[$of])*
        #[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
        #[async_graphql::Subscription]
        impl $root {$(
            $(#[$meta])*
            async fn $name(
                &self,
                $ctx: &async_graphql::Context<'_>,
                #[graphql(desc = $whose)] account_id: Option<
                    $crate::graphql::id::Id<$crate::primitives::ids::AccountId>,
                >,
                $(#[graphql(desc = $desc)] $argument: $type,)*
                #[graphql(desc = $after)] after: Option<$crate::graphql::scalars::LiveCursorText>,
                #[graphql(
                    desc = "The maximum number of the account's events after the cursor that are replayed. With more, RESET is sent at once."
                )]
                replay_at_most: Option<i32>,
            ) -> Result<$crate::graphql::live::Shown<$event>, $crate::graphql::errors::ApiError> {
                let begin = (after.as_ref(), replay_at_most);
                $crate::graphql::live::follow($ctx, account_id, begin, $interest, $event)
            }
        )+}
    };
}
pub(in crate::graphql) use subscriptions;
