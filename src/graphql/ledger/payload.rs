//! Payloads of the ledger's mutations.

use async_graphql::{Context, Object};

use super::{Balance, CreditEntry, Session};
use crate::domain::ledger::Posted;
use crate::domain::ledger::credit_log::Entry;
use crate::graphql::context::scope;
use crate::graphql::errors::{ApiError, Nullable, nullable};
use crate::graphql::member::Account;
use crate::graphql::payload::Outcome;
use crate::graphql::refusals::{Present, UserError};
use crate::graphql::scalars::LiveCursorText;

/// The fields for one posted command. Changing objects are read when they are selected, in their state at that time.
impl Outcome<Posted> {
    async fn session(&self, ctx: &Context<'_>) -> Result<Option<Session>, ApiError> {
        let id = match (&self.done, &self.present) {
            (Some(posted), _) => posted.outcome.session_id.map(|id| (posted.account_id, id)),
            (None, Some(Present::Session(account_id, id))) => Some((*account_id, *id)),
            (None, _) => None,
        };
        let Some((account_id, id)) = id else {
            return Ok(None);
        };
        let session = scope(ctx)?.loaders.session_of_command(account_id, id).await?;
        Ok(session.map(|session| Session::new(account_id, session)))
    }

    async fn entry(&self, ctx: &Context<'_>) -> Result<Option<CreditEntry>, ApiError> {
        let Some(posted) = &self.done else {
            return Ok(None);
        };
        let account_id = posted.account_id;
        let entry = match (&posted.entry, posted.outcome.entry_id) {
            (Some(entry), _) => Some(Entry::posted(account_id, entry.clone())),
            (None, Some(id)) => scope(ctx)?.loaders.entry_of_command(account_id, id).await?,
            (None, None) => None,
        };
        Ok(entry.map(CreditEntry::new))
    }

    async fn account(&self, ctx: &Context<'_>) -> Result<Option<Account>, ApiError> {
        match &self.done {
            Some(posted) => Account::after(ctx, posted).await.map(Some),
            None => Ok(None),
        }
    }

    async fn balance(&self, ctx: &Context<'_>) -> Result<Option<Balance>, ApiError> {
        match (&self.done, &self.present) {
            (Some(posted), _) => Ok(Some(Balance::new(posted.balance.clone()))),
            (None, Some(Present::Balance(account_id) | Present::Session(account_id, _))) => {
                let balance = scope(ctx)?.loaders.balance(*account_id).await?;
                Ok(balance.map(Balance::new))
            }
            (None, _) => Ok(None),
        }
    }

    fn live_cursor(&self) -> Option<LiveCursorText> {
        self.done
            .as_ref()
            .map(|posted| LiveCursorText(posted.live_cursor.encode()))
    }
}

/// Declares the payload of a mutation of one session.
macro_rules! session_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub(crate) struct $name(pub(super) Outcome<Posted>);

        $(#[$doc])*
        #[Object]
        impl $name {
            /// The session in its current state. Null when refused, except for codes whose description says that the payload
            /// contains it.
            async fn session(&self, ctx: &Context<'_>) -> Nullable<Session> {
                self.0.session(ctx).await.transpose()
            }

            /// The account's balance right after the mutation, or the current one when refused. Null when the account is not
            /// known.
            async fn balance(&self, ctx: &Context<'_>) -> Nullable<Balance> {
                nullable(async { self.0.balance(ctx).await }).await
            }

            /// The account. Null when refused.
            async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
                self.0.account(ctx).await.transpose()
            }

            /// The entry that this posted to the credit log. Null when it moved no credits.
            async fn entry(&self, ctx: &Context<'_>) -> Nullable<CreditEntry> {
                self.0.entry(ctx).await.transpose()
            }

            /// The position in the account's event stream right after the mutation. Null when refused.
            async fn live_cursor(&self) -> Option<LiveCursorText> {
                self.0.live_cursor()
            }

            /// Why nothing was changed. Empty on success.
            pub(crate) async fn user_errors(&self) -> Vec<UserError> {
                self.0.errors.clone()
            }
        }
    };
}

session_payload! {
    /// The result of bookSession.
    BookSessionPayload
}
session_payload! {
    /// The result of rescheduleSession.
    RescheduleSessionPayload
}
session_payload! {
    /// The result of completeSession.
    CompleteSessionPayload
}
session_payload! {
    /// The result of cancelSession.
    CancelSessionPayload
}
session_payload! {
    /// The result of refundSession.
    RefundSessionPayload
}

/// Declares the payload of a mutation that posts its own entry.
macro_rules! entry_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub(crate) struct $name(pub(super) Outcome<Posted>);

        $(#[$doc])*
        #[Object]
        impl $name {
            /// The entry that this posted to the credit log. Null when refused.
            async fn entry(&self, ctx: &Context<'_>) -> Nullable<CreditEntry> {
                self.0.entry(ctx).await.transpose()
            }

            /// The account's balance right after the mutation, or the current one when refused. Null when the account is not
            /// known.
            async fn balance(&self, ctx: &Context<'_>) -> Nullable<Balance> {
                nullable(async { self.0.balance(ctx).await }).await
            }

            /// The account. Null when refused.
            async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
                self.0.account(ctx).await.transpose()
            }

            /// The position in the account's event stream right after the mutation. Null when refused.
            async fn live_cursor(&self) -> Option<LiveCursorText> {
                self.0.live_cursor()
            }

            /// Why nothing was changed. Empty on success.
            pub(crate) async fn user_errors(&self) -> Vec<UserError> {
                self.0.errors.clone()
            }
        }
    };
}

entry_payload! {
    /// The result of grantCredits.
    GrantCreditsPayload
}
entry_payload! {
    /// The result of adjustCredits.
    AdjustCreditsPayload
}

/// The result of one item in a list.
///
/// A fault of one item concerns only this item: the others were executed and have their results.
pub(crate) struct SessionResult(Result<Outcome<Posted>, ApiError>);

/// The result of one item in a list.
#[Object]
impl SessionResult {
    /// The session in its current state. Null when refused, except for codes whose description says that the payload contains
    /// it.
    async fn session(&self, ctx: &Context<'_>) -> Nullable<Session> {
        match &self.0 {
            Ok(outcome) => outcome.session(ctx).await.transpose(),
            Err(fault) => Some(Err(fault.clone())),
        }
    }

    /// Why nothing was changed for this item. Empty on success.
    async fn user_errors(&self, ctx: &Context<'_>) -> &[UserError] {
        match &self.0 {
            Ok(outcome) => &outcome.errors,
            Err(fault) => {
                // A client that selects only this field must not read the empty list as success.
                let error = async_graphql::Error::from(fault.clone()).into_server_error(ctx.item.pos);
                ctx.add_error(ctx.set_error_path(error));
                &[]
            }
        }
    }
}

/// Declares the payload of a mutation of many sessions.
macro_rules! sessions_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub(crate) struct $name {
            results: Option<Vec<SessionResult>>,
            last: Option<Posted>,
            errors: Vec<UserError>,
        }

        impl $name {
            pub(super) fn new(outcome: Outcome<Vec<Result<Outcome<Posted>, ApiError>>>) -> Self {
                let answered = outcome.done.iter().flatten().flatten();
                let posted = answered.filter_map(|item| item.done.as_ref());
                Self {
                    last: posted.max_by_key(|posted| posted.live_cursor.sequence).cloned(),
                    results: outcome.done.map(|items| items.into_iter().map(SessionResult).collect()),
                    errors: outcome.errors,
                }
            }
        }

        $(#[$doc])*
        #[Object]
        impl $name {
            /// One result per item, in the same order; a refused item does not affect the others. Null when the whole list was
            /// refused.
            async fn results(&self) -> Option<&Vec<SessionResult>> {
                self.results.as_ref()
            }

            /// The account. Null when nothing was changed.
            async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
                nullable(async {
                    match &self.last {
                        Some(posted) => Account::after(ctx, posted).await.map(Some),
                        None => Ok(None),
                    }
                })
                .await
            }

            /// The position in the account's event stream after the last change. Null when nothing was changed.
            async fn live_cursor(&self) -> Option<LiveCursorText> {
                self.last.as_ref().map(|posted| LiveCursorText(posted.live_cursor.encode()))
            }

            /// Why the whole list was refused. Empty when each item has its own result.
            pub(crate) async fn user_errors(&self) -> Vec<UserError> {
                self.errors.clone()
            }
        }
    };
}

sessions_payload! {
    /// The result of bookSessions.
    BookSessionsPayload
}
sessions_payload! {
    /// The result of completeSessions.
    CompleteSessionsPayload
}
