//! Filters of the lists of accounts and members.

use serde::Serialize;

use crate::domain::fault::InvalidInput;
use crate::domain::filter::{AnyOf, Given};
use crate::domain::ledger::credit_log::search::Search;
use crate::domain::ledger::model::AccountStatus;
use crate::primitives::actor::MemberRole;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, GlobalId, IdKind};

/// Selects the accounts that meet every condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AccountFilter {
    /// The account has these words, or this id.
    pub search: Given<AccountSearch>,
    /// The account has one of these statuses.
    pub statuses: AnyOf<AccountStatus>,
    /// The platform's own id is one of these.
    pub external_ids: AnyOf<String>,
    /// Fewer credits than this are available.
    pub available_below: Option<Credits>,
    /// Whether the auto top-up rule is enabled and paused until a person acts.
    pub auto_top_up_paused: Option<bool>,
    /// Whether the last check of the account has found something wrong.
    pub has_findings: Option<bool>,
}

/// What the search of a list of accounts asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountSearch {
    /// Each word begins a word of the name or of the external id.
    Words(Search),
    /// The account with this id.
    Account(AccountId),
}

impl Default for AccountSearch {
    fn default() -> Self {
        Self::Words(Search::default())
    }
}

impl AccountSearch {
    /// Parses an id of an account, otherwise words. Refuses a text that is too long.
    pub fn parse(field: &'static str, text: Option<&str>) -> Result<Self, InvalidInput> {
        let id = text.and_then(|text| text.trim().parse::<GlobalId>().ok());
        match id {
            Some(id) if id.kind == IdKind::Account => Ok(Self::Account(id.account_id)),
            _ => Search::parse(field, text).map(Self::Words),
        }
    }
}

/// Selects the members that meet every condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemberFilter {
    /// Each word begins a word of the name.
    pub search: Given<Search>,
    /// The platform's own id is one of these.
    pub external_ids: AnyOf<String>,
    /// The role is one of these.
    pub roles: AnyOf<MemberRole>,
    /// Whether members who left the team are included.
    pub include_removed: bool,
}
