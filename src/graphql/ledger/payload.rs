//! Payloads of the ledger's mutations.

use async_graphql::{Context, Object};

use super::{Balance, CreditEntry, Session};
use crate::domain::ledger::Posted;
use crate::graphql::context::scope;
use crate::graphql::errors::{ApiError, Nullable};
use crate::graphql::member::Account;
use crate::graphql::payload::{Outcome, payload};
use crate::graphql::refusals::{Failure, Present, UserError};
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
            (Some(entry), _) => Some(entry.clone()),
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

payload! {
    /// The result of bookSession.
    BookSessionPayload,
    /// The result of rescheduleSession.
    RescheduleSessionPayload,
    /// The result of completeSession.
    CompleteSessionPayload,
    /// The result of cancelSession.
    CancelSessionPayload,
    /// The result of refundSession.
    RefundSessionPayload
    from Posted => {
        /// The session in its current state. Null when refused, except for codes whose description says that the payload
        /// contains it.
        async fn session(&self, ctx: &Context<'_>) -> Nullable<Session> {
            self.0.session(ctx).await.transpose()
        }

        /// The account's balance right after the mutation, or the current one when refused. Null when the account is not
        /// known.
        async fn balance(&self, ctx: &Context<'_>) -> Nullable<Balance> {
            self.0.balance(ctx).await.transpose()
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
    }
}

payload! {
    /// The result of grantCredits.
    GrantCreditsPayload,
    /// The result of adjustCredits.
    AdjustCreditsPayload
    from Posted => {
        /// The entry that this posted to the credit log. Null when refused.
        async fn entry(&self, ctx: &Context<'_>) -> Nullable<CreditEntry> {
            self.0.entry(ctx).await.transpose()
        }

        /// The account's balance right after the mutation, or the current one when refused. Null when the account is not
        /// known.
        async fn balance(&self, ctx: &Context<'_>) -> Nullable<Balance> {
            self.0.balance(ctx).await.transpose()
        }

        /// The account. Null when refused.
        async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
            self.0.account(ctx).await.transpose()
        }

        /// The position in the account's event stream right after the mutation. Null when refused.
        async fn live_cursor(&self) -> Option<LiveCursorText> {
            self.0.live_cursor()
        }
    }
}

/// The result of one item in a list.
///
/// A fault of one item concerns only this item: the others were executed and have their results.
pub(crate) struct SessionResult(Result<Outcome<Posted>, ApiError>);

impl SessionResult {
    pub(super) fn new(at: usize, result: Result<Posted, Failure>) -> Self {
        let item = at.to_string();
        Self(Outcome::settle(result).map(|mut outcome| {
            let errors = outcome.errors.into_iter();
            outcome.errors = errors.map(|error| error.within(&["items", &item])).collect();
            outcome
        }))
    }
}

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

/// Returns the last change of a list.
fn last(outcome: &Outcome<Vec<SessionResult>>) -> Option<&Posted> {
    let items = outcome.done.iter().flatten();
    let posted = items.filter_map(|item| item.0.as_ref().ok()?.done.as_ref());
    posted.max_by_key(|posted| posted.live_cursor.sequence)
}

payload! {
    /// The result of bookSessions.
    BookSessionsPayload,
    /// The result of completeSessions.
    CompleteSessionsPayload
    from Vec<SessionResult>, "Why the whole list was refused. Empty when each item has its own result." => {
        /// One result per item, in the same order; a refused item does not affect the others. Null when the whole list was
        /// refused.
        async fn results(&self) -> Option<&Vec<SessionResult>> {
            self.0.done.as_ref()
        }

        /// The account. Null when nothing was changed.
        async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
            Some(Account::after(ctx, last(&self.0)?).await)
        }

        /// The position in the account's event stream after the last change. Null when nothing was changed.
        async fn live_cursor(&self) -> Option<LiveCursorText> {
            Some(LiveCursorText(last(&self.0)?.live_cursor.encode()))
        }
    }
}
