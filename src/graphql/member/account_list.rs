//! The platform's list of accounts.

use async_graphql::{Context, Enum, InputObject};

use super::account::{Account, AccountConnection};
use crate::domain::filter::{AnyOf, Given, key};
use crate::domain::member::{self, AccountPosition, AccountSearch};
use crate::graphql::connection::{PageArguments, Position};
use crate::graphql::context::scope;
use crate::graphql::errors::ApiError;
use crate::graphql::ledger::AccountStatus;
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
    /// Parses the filter of the domain.
    fn filter(self) -> Result<member::AccountFilter, ApiError> {
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
        let (field, search) = match (self.search, self.filter.search) {
            (Some(search), _) => ("search", Some(search)),
            (None, search) => ("filter.search", search),
        };
        let statuses = self.filter.statuses.or(self.status.map(|status| vec![status]));
        Ok(member::AccountFilter {
            search: Given::parse(field, search, AccountSearch::parse)?,
            statuses: AnyOf::new("filter.statuses", statuses)?,
            external_ids: AnyOf::new("externalIds", self.external_ids)?,
            available_below: self.filter.available_below,
            auto_top_up_paused: self.filter.auto_top_up_paused,
            has_findings: self.filter.has_findings,
        })
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
    let filter = arguments.filter()?;
    let list = CursorScope::of(&["accounts", &key(&filter)?, &key(&order)?]);
    let request = page.request(list)?;
    let accounts = &scope.services.accounts;
    let page = accounts.page(scope.actor(), &filter, order, &request).await?;
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
