//! What mutations of the ledger answer.

use async_graphql::{Context, Object};

use super::{Balance, CreditEntry, Session};
use crate::domain::ledger::Posted;
use crate::domain::ledger::credit_log::Entry;
use crate::graphql::context::scope;
use crate::graphql::errors::{ApiError, nullable};
use crate::graphql::member::Account;
use crate::graphql::payload::Outcome;
use crate::graphql::refusals::{Present, UserError};
use crate::graphql::scalars::LiveCursorText;

/// What one posted command has to show. Things that may change are read when they are asked for, as they are by then.
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
            /// The session as it is now. Null when refused, but for refusals whose code says that it is here.
            async fn session(&self, ctx: &Context<'_>) -> Option<Result<Session, ApiError>> {
                self.0.session(ctx).await.transpose()
            }

            /// The account's balance right after, or as it is when refused. Null where the account is not known.
            async fn balance(&self, ctx: &Context<'_>) -> Option<Result<Balance, ApiError>> {
                nullable(async { self.0.balance(ctx).await }).await
            }

            /// The account. Null when refused.
            async fn account(&self, ctx: &Context<'_>) -> Option<Result<Account, ApiError>> {
                self.0.account(ctx).await.transpose()
            }

            /// The line that this posted to the credit log. Null when it moved nothing.
            async fn entry(&self, ctx: &Context<'_>) -> Option<Result<CreditEntry, ApiError>> {
                self.0.entry(ctx).await.transpose()
            }

            /// The place in the account's event stream right after. Null when refused.
            async fn live_cursor(&self) -> Option<LiveCursorText> {
                self.0.live_cursor()
            }

            /// Why nothing was changed. Empty when it was.
            pub(crate) async fn user_errors(&self) -> Vec<UserError> {
                self.0.errors.clone()
            }
        }
    };
}

session_payload! {
    /// What bookSession answers.
    BookSessionPayload
}
session_payload! {
    /// What rescheduleSession answers.
    RescheduleSessionPayload
}
session_payload! {
    /// What completeSession answers.
    CompleteSessionPayload
}
session_payload! {
    /// What cancelSession answers.
    CancelSessionPayload
}
session_payload! {
    /// What refundSession answers.
    RefundSessionPayload
}

/// Declares the payload of a mutation that posts an entry of its own.
macro_rules! entry_payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub(crate) struct $name(pub(super) Outcome<Posted>);

        $(#[$doc])*
        #[Object]
        impl $name {
            /// The line that this posted to the credit log. Null when refused.
            async fn entry(&self, ctx: &Context<'_>) -> Option<Result<CreditEntry, ApiError>> {
                self.0.entry(ctx).await.transpose()
            }

            /// The account's balance right after, or as it is when refused. Null where the account is not known.
            async fn balance(&self, ctx: &Context<'_>) -> Option<Result<Balance, ApiError>> {
                nullable(async { self.0.balance(ctx).await }).await
            }

            /// The account. Null when refused.
            async fn account(&self, ctx: &Context<'_>) -> Option<Result<Account, ApiError>> {
                self.0.account(ctx).await.transpose()
            }

            /// The place in the account's event stream right after. Null when refused.
            async fn live_cursor(&self) -> Option<LiveCursorText> {
                self.0.live_cursor()
            }

            /// Why nothing was changed. Empty when it was.
            pub(crate) async fn user_errors(&self) -> Vec<UserError> {
                self.0.errors.clone()
            }
        }
    };
}

entry_payload! {
    /// What grantCredits answers.
    GrantCreditsPayload
}
entry_payload! {
    /// What adjustCredits answers.
    AdjustCreditsPayload
}

/// What became of one item of a list.
///
/// A fault of one item stays with it: the others were carried out and are answered.
pub(crate) struct SessionResult(Result<Outcome<Posted>, ApiError>);

/// What became of one item of a list.
#[Object]
impl SessionResult {
    /// The session as it is now. Null when refused, but for refusals whose code says that it is here.
    async fn session(&self, ctx: &Context<'_>) -> Option<Result<Session, ApiError>> {
        match &self.0 {
            Ok(outcome) => outcome.session(ctx).await.transpose(),
            Err(fault) => Some(Err(fault.clone())),
        }
    }

    /// Why nothing was changed for this item. Empty when it was.
    async fn user_errors(&self, ctx: &Context<'_>) -> &[UserError] {
        match &self.0 {
            Ok(outcome) => &outcome.errors,
            Err(fault) => {
                // Whoever asks for nothing else must not take the empty list for success.
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
            /// One result per item, in order; a refused item touches no other. Null when the whole list was refused.
            async fn results(&self) -> Option<&Vec<SessionResult>> {
                self.results.as_ref()
            }

            /// The account. Null when nothing was changed.
            async fn account(&self, ctx: &Context<'_>) -> Option<Result<Account, ApiError>> {
                nullable(async {
                    match &self.last {
                        Some(posted) => Account::after(ctx, posted).await.map(Some),
                        None => Ok(None),
                    }
                })
                .await
            }

            /// The place in the account's event stream after the last of them. Null when nothing was changed.
            async fn live_cursor(&self) -> Option<LiveCursorText> {
                self.last.as_ref().map(|posted| LiveCursorText(posted.live_cursor.encode()))
            }

            /// Why the whole list was refused. Empty when each item has its own answer.
            pub(crate) async fn user_errors(&self) -> Vec<UserError> {
                self.errors.clone()
            }
        }
    };
}

sessions_payload! {
    /// What bookSessions answers.
    BookSessionsPayload
}
sessions_payload! {
    /// What completeSessions answers.
    CompleteSessionsPayload
}
