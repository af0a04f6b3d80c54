//! The platform's list of accounts.

use async_graphql::{Context, Enum, InputObject};

use super::account::{Account, AccountConnection};
use crate::domain::fault::QueryError;
use crate::domain::filter::key;
use crate::domain::member::{self, AccountPosition};
use crate::graphql::connection::{PageArguments, Position};
use crate::graphql::context::scope;
use crate::graphql::errors::ApiError;
use crate::graphql::ledger::{AccountStatus, at_most_100};
use crate::primitives::credits::Credits;
use crate::primitives::cursor::CursorScope;
use crate::primitives::ids::AccountId;

/// The order of a list of accounts.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "member::AccountOrder")]
#[expect(clippy::enum_variant_names, reason = "an order says what comes first")]
pub(crate) enum AccountOrder {
    /// The account that was created first comes first.
    OldestFirst,
    /// The account that was created last comes first.
    NewestFirst,
    /// The account with the fewest available credits comes first.
    LowestAvailableFirst,
}

/// A filter for accounts. All conditions must match; a condition that is left out or null does not restrict. An empty list matches
/// nothing.
#[derive(InputObject, Clone, Debug, Default)]
pub(crate) struct AccountFilter {
    /// All of these words (the first 10), each the beginning of a word of the name or of the external id, without regard to case. In
    /// scripts without spaces, any part. Or the id of an account, which finds that account.
    pub search: Option<String>,
    /// Any of these statuses.
    pub statuses: Option<Vec<AccountStatus>>,
    /// Fewer credits than this are available.
    pub available_below: Option<Credits>,
    /// Whether auto top-up is enabled and paused until a person acts.
    pub auto_top_up_paused: Option<bool>,
    /// Whether the last check has found something wrong: `lastFindings` has the number and the time of that check.
    pub has_findings: Option<bool>,
}

/// The arguments of the list.
#[derive(Debug, Default)]
pub(super) struct ListArguments {
    pub search: Option<String>,
    pub status: Option<AccountStatus>,
    pub external_ids: Option<Vec<String>>,
    pub filter: AccountFilter,
    pub order: Option<AccountOrder>,
}

impl ListArguments {
    /// Returns the domain's filter, and the path of the argument that holds the words of the search.
    fn filter(self) -> Result<(member::AccountFilter, &'static str), ApiError> {
        at_most_100("externalIds", self.external_ids.as_deref())?;
        at_most_100("filter.statuses", self.filter.statuses.as_deref())?;
        if self.search.is_some() && self.filter.search.is_some() {
            return Err(ApiError::invalid(
                "search",
                "must be left out where filter.search is given",
            ));
        }
        if self.status.is_some() && self.filter.statuses.is_some() {
            return Err(ApiError::invalid(
                "status",
                "must be left out where filter.statuses is given",
            ));
        }
        let field = if self.search.is_some() {
            "search"
        } else {
            "filter.search"
        };
        let statuses = self.filter.statuses.or(self.status.map(|status| vec![status]));
        let filter = member::AccountFilter {
            search: self.search.or(self.filter.search),
            statuses: statuses.map(|statuses| statuses.into_iter().map(Into::into).collect()),
            external_ids: self.external_ids,
            available_below: self.filter.available_below,
            auto_top_up_paused: self.filter.auto_top_up_paused,
            has_findings: self.filter.has_findings,
        };
        Ok((filter, field))
    }
}

/// Returns a page of the list.
pub(super) async fn page(
    ctx: &Context<'_>,
    arguments: ListArguments,
    page: PageArguments,
) -> Result<Option<AccountConnection>, ApiError> {
    let scope = scope(ctx)?;
    let order: member::AccountOrder = arguments.order.unwrap_or(AccountOrder::OldestFirst).into();
    let (filter, field) = arguments.filter()?;
    let list = CursorScope::of(&["accounts", &key(&filter)?, &key(&order)?]);
    let request = page.request(list)?;
    let accounts = &scope.services.accounts;
    let page = accounts.page(scope.actor(), &filter, order, &request).await;
    let page = page.map_err(|error| match error {
        QueryError::Invalid(invalid) if invalid.field == "search" => ApiError::invalid(field, invalid.message),
        error => error.into(),
    })?;
    let page = page.map(|account| Account::new(scope, account));
    Ok(Some(AccountConnection::new(request.relay(page))))
}

impl Position for AccountPosition {
    fn to_bytes(&self) -> Vec<u8> {
        [self.available.units().to_be_bytes(), self.id.number().to_be_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (available, number) = bytes.split_at_checked(8)?;
        let integer = |bytes: &[u8]| Some(i64::from_be_bytes(bytes.try_into().ok()?));
        Some(Self {
            available: Credits::from_units(integer(available)?),
            id: AccountId::from_number(integer(number)?),
        })
    }
}
