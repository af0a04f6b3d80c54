//! The platform's list of accounts: filtered and ordered, with bounded work for a page.
//!
//! Some conditions have an index that finds their accounts: a word of the name, few available credits, a paused rule, findings, a
//! status other than ACTIVE. Each of them is asked for its accounts, up to [`MOST_FOUND`]. If one has no more, these accounts are the
//! candidates: the page is chosen from them by one statement. Candidates of several conditions are intersected.
//!
//! If each condition matches more accounts, they are frequent. Then the list is walked in its own order and the conditions are tested on
//! each account, at most [`MOST_WALKED`] for a page. A page ends there, even empty, and the next one continues.

use std::collections::BTreeSet;

use crate::domain::database::Database;
use crate::domain::database::select::Condition;
use crate::domain::fault::Fault;
use crate::domain::ledger::credit_log::search::Search;
use crate::domain::ledger::model::AccountStatus;
use crate::primitives::ids::AccountId;
use crate::primitives::page::{Page, PageRequest};

use super::filter::{AccountFilter, AccountSearch};
use super::model::{Account, AccountOrder, AccountPosition};
use super::store::{self, Finder};

/// Accounts of a condition that are read as candidates, at most. Of 100,000 accounts, a condition that matches more fills a page soon.
const MOST_FOUND: usize = 2_000;
/// Accounts that a page walks over, at most.
const MOST_WALKED: u32 = 3_000;
/// Words of a search that are asked for their accounts, at most. All words are tested.
const MOST_WORDS_ASKED: usize = 3;

/// Returns a page of the accounts that match the filter.
pub(super) async fn page(
    database: &Database,
    filter: &AccountFilter,
    order: AccountOrder,
    request: &PageRequest<AccountPosition>,
) -> Result<Page<Account, AccountPosition>, Fault> {
    let plan = Plan::of(database, filter).await?;
    if request.limit == 0 || plan.is_empty() {
        return Ok(Page {
            items: Vec::new(),
            has_next: false,
            has_previous: request.after.is_some(),
            scanned_to: None,
        });
    }
    let wanted = u64::from(request.limit) + 1;
    let list = store::AccountList {
        database,
        conditions: &plan.conditions,
        order,
        after: request.after,
    };
    let candidates = plan.candidates(database).await?;
    let (mut rows, horizon) = if let Some(candidates) = &candidates {
        (list.among(candidates, wanted).await?, None)
    } else {
        let horizon = match plan.conditions.as_slice() {
            [] => None,
            _ => list.horizon(MOST_WALKED).await?,
        };
        (list.up_to(horizon, wanted).await?, horizon)
    };
    let limit = request.limit as usize;
    let is_full = rows.len() > limit;
    rows.truncate(limit);
    Ok(Page {
        items: rows,
        has_next: is_full || horizon.is_some(),
        has_previous: request.after.is_some(),
        // A full page continues after its last item, as pages do.
        scanned_to: horizon.filter(|_| !is_full),
    })
}

/// What a filter means: the conditions on an account, and the indexes that find the accounts of some of them.
struct Plan {
    conditions: Vec<Condition>,
    finders: Vec<Finder>,
    /// The accounts that the filter names, if it names some.
    named: Option<BTreeSet<AccountId>>,
}

impl Plan {
    async fn of(database: &Database, filter: &AccountFilter) -> Result<Self, Fault> {
        let mut plan = Self {
            conditions: Vec::new(),
            finders: Vec::new(),
            named: None,
        };
        if let Some(external_ids) = filter.external_ids.values() {
            let ids = store::account_ids(database.read(), external_ids).await?;
            plan.named = Some(ids.into_iter().collect());
        }
        match filter.search.parsed() {
            AccountSearch::Account(id) => plan.name([*id].into()),
            AccountSearch::Words(search) => plan.add_search(search),
        }
        plan.conditions.extend(store::has_status(&filter.statuses));
        if !filter.statuses.allows(&AccountStatus::Active) {
            plan.finders.push(Finder::Halted);
        }
        if let Some(credits) = filter.available_below {
            plan.conditions.push(store::available_below(credits));
            plan.finders.push(Finder::AvailableBelow(credits));
        }
        if let Some(is_paused) = filter.auto_top_up_paused {
            plan.conditions.push(store::is_paused(is_paused));
            plan.finders.extend(is_paused.then_some(Finder::Paused));
        }
        if let Some(has_findings) = filter.has_findings {
            plan.conditions.push(store::has_findings(has_findings));
            plan.finders.extend(has_findings.then_some(Finder::Findings));
        }
        Ok(plan)
    }

    fn add_search(&mut self, search: &Search) {
        // In a script without spaces a word of the search is several words of the name. The longest one finds the fewest accounts.
        let longest = search.words().iter().filter_map(|word| {
            let parts = word.split_whitespace();
            parts.max_by_key(|part| part.chars().count()).map(str::to_owned)
        });
        let mut longest: Vec<String> = longest.collect();
        longest.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
        longest.truncate(MOST_WORDS_ASKED);
        self.finders.extend(longest.into_iter().map(Finder::Word));
        self.conditions
            .extend(search.words().iter().map(|word| store::has_word(word)));
    }

    /// Restricts the list to these accounts.
    fn name(&mut self, ids: BTreeSet<AccountId>) {
        self.named = Some(match self.named.take() {
            Some(named) => named.intersection(&ids).copied().collect(),
            None => ids,
        });
    }

    /// Whether the filter matches nothing, whatever the accounts are.
    fn is_empty(&self) -> bool {
        self.named.as_ref().is_some_and(BTreeSet::is_empty) || self.conditions.iter().any(Condition::matches_nothing)
    }

    /// Returns the accounts to choose from. `None` if all conditions are frequent.
    async fn candidates(&self, database: &Database) -> Result<Option<Vec<AccountId>>, Fault> {
        if let Some(named) = &self.named {
            return Ok(Some(named.iter().copied().collect()));
        }
        let mut candidates: Option<BTreeSet<AccountId>> = None;
        for finder in &self.finders {
            let found = store::find_accounts(database, finder, MOST_FOUND + 1).await?;
            if found.len() > MOST_FOUND {
                continue;
            }
            let found: BTreeSet<AccountId> = found.into_iter().collect();
            candidates = Some(match candidates {
                Some(candidates) => candidates.intersection(&found).copied().collect(),
                None => found,
            });
        }
        Ok(candidates.map(|candidates| candidates.into_iter().collect()))
    }
}
