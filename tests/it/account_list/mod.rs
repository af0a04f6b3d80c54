//! The platform's list of accounts: what each filter finds, in which order, and how many rows a page reads.

mod api;
mod rows;

use std::time::{Duration, Instant};

use ledgerbell::domain::member::{AccountFilter, AccountOrder, AccountPosition, Accounts};
use ledgerbell::primitives::actor::Actor;
use ledgerbell::primitives::clock::{Clock, Timestamp};
use ledgerbell::primitives::credits::Credits;
use ledgerbell::primitives::ids::AccountId;
use ledgerbell::primitives::page::{Page, PageRequest};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};

use crate::reading::ground::Ground;
use rows::{expected, filters, load};

const ORDERS: [AccountOrder; 3] = [
    AccountOrder::OldestFirst,
    AccountOrder::NewestFirst,
    AccountOrder::LowestAvailableFirst,
];
/// The most rows of one table that a statement reads: what a page walks over, and as much again for its horizon.
const MOST_READ: f64 = 6_010.0;

struct List {
    ground: Ground,
    accounts: Accounts,
}

impl List {
    async fn of(ground: Ground, count: i64) -> Self {
        load(&ground, count).await;
        let clock = Clock::manual(Timestamp::from_millis(1_800_000_000_000));
        let ledger = ground.ledger(&clock, Credits::ZERO);
        Self {
            accounts: Accounts::new(clock, ground.database.clone(), ledger),
            ground,
        }
    }

    async fn page(
        &self,
        filter: &AccountFilter,
        order: AccountOrder,
        limit: u32,
        after: Option<AccountPosition>,
    ) -> Page<i64, AccountPosition> {
        let request = PageRequest::forward(limit, after);
        let page = self.accounts.page(&Actor::System, filter, order, &request).await;
        page.expect("a page").map(|account| account.id.number())
    }

    /// Returns the numbers of all accounts of a list, page by page.
    async fn all(&self, filter: &AccountFilter, order: AccountOrder) -> Vec<i64> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.page(filter, order, 100, after).await;
            found.extend(page.items.iter().map(|(_, number)| *number));
            if !page.has_next {
                return found;
            }
            let last = page.items.last().map(|(position, _)| *position);
            let next = page.scanned_to.or(last);
            assert!(
                next.is_some() && next != after,
                "a page that is not the last goes on: {filter:?}"
            );
            after = next;
        }
    }
}

#[tokio::test]
async fn every_filter_lists_exactly_what_matches_in_each_order() {
    const COUNT: i64 = 6_500;
    for ground in Ground::each().await {
        let list = List::of(ground, COUNT).await;
        for (at, (name, filter)) in filters().iter().enumerate() {
            // Each filter in one order, and each kind of filter in all of them.
            let order = ORDERS[at % ORDERS.len()];
            let expected = expected(COUNT, filter, order);
            assert_eq!(
                list.all(filter, order).await,
                expected,
                "{} {name} {order:?}",
                list.ground.name()
            );
        }
        for order in ORDERS {
            let none = AccountFilter::default();
            assert_eq!(list.all(&none, order).await, expected(COUNT, &none, order), "{order:?}");
        }
    }
}

/// Reads the number of rows of each scan of a plan of Postgres.
fn visits(step: &serde_json::Value, found: &mut Vec<(String, f64)>) {
    let number = |name: &str| step[name].as_f64().unwrap_or_default();
    if let Some(table) = step["Relation Name"].as_str() {
        let removed = number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
        let visited = number("Actual Loops") * (number("Actual Rows") + removed);
        found.push((format!("{} on {table}", step["Node Type"]), visited));
    }
    for child in step["Plans"].as_array().into_iter().flatten() {
        visits(child, found);
    }
}

async fn explain(ground: &Ground, how: &str, statement: &Statement) -> Vec<QueryResult> {
    let mut explained = statement.clone();
    explained.sql = format!("{how} {}", statement.sql);
    ground.database.read().query_all_raw(explained).await.expect("explains")
}

/// Returns why the plan of a statement reads too much.
async fn complaint(ground: &Ground, statement: &Statement) -> Option<String> {
    if ground.backend() == DbBackend::Sqlite {
        let steps = explain(ground, "EXPLAIN QUERY PLAN", statement).await;
        let mut steps = steps
            .iter()
            .map(|row| row.try_get::<String>("", "detail").expect("a detail"));
        // Walks along these indexes have a limit (the last one of numbers alone), and the partial ones contain only rows that match.
        let walks = [
            "account_state_available",
            "account_state_halted",
            "auto_top_up_paused",
            "account_finding_found",
            "COVERING INDEX sqlite_autoindex_account_1",
        ];
        return steps.find(|step| {
            let is_bounded = step.contains("json_each") || step.contains("CONSTANT ROW");
            step.starts_with("SCAN") && !is_bounded && !walks.iter().any(|index| step.contains(index))
        });
    }
    let rows = explain(ground, "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON)", statement).await;
    let plan: serde_json::Value = rows[0].try_get_by_index(0).expect("a plan");
    let mut found = Vec::new();
    visits(&plan[0]["Plan"], &mut found);
    let most = found.into_iter().find(|(_, visited)| *visited > MOST_READ);
    most.map(|(step, visited)| format!("{step}: {visited} rows"))
}

#[tokio::test]
async fn no_filter_makes_a_page_read_all_accounts() {
    const COUNT: i64 = 25_000;
    for ground in Ground::each_with_plans().await {
        let list = List::of(ground, COUNT).await;
        let middle = AccountPosition {
            available: Credits::from_units(40_000_000),
            id: AccountId::from_number(COUNT / 2),
        };
        let mut complaints = Vec::new();
        for (name, filter) in filters() {
            for order in ORDERS {
                for after in [None, Some(middle)] {
                    list.ground.take_asked();
                    list.page(&filter, order, 50, after).await;
                    for statement in list.ground.take_asked() {
                        let complaint = complaint(&list.ground, &statement).await;
                        complaints.extend(complaint.map(|step| format!("{name} {order:?}: {step}\n{}", statement.sql)));
                    }
                }
            }
        }
        assert!(
            complaints.is_empty(),
            "{}\n{}",
            list.ground.name(),
            complaints.join("\n")
        );
    }
}

/// Prints how long a page takes. `LEDGERBELL_TEST_ACCOUNTS=100000 cargo test --release --test it -- --ignored --nocapture account_list`
#[tokio::test]
#[ignore = "measures; it asserts nothing"]
async fn measure_pages() {
    let count = std::env::var("LEDGERBELL_TEST_ACCOUNTS")
        .ok()
        .and_then(|count| count.parse().ok());
    let count = count.unwrap_or(5_000);
    for ground in Ground::each().await {
        let list = List::of(ground, count).await;
        println!(
            "{} with {count} accounts: p50, p95 of 40 pages of 50, in milliseconds",
            list.ground.name()
        );
        for (name, filter) in filters() {
            for order in ORDERS {
                let (mut times, mut after) = (Vec::new(), None);
                for _ in 0..40 {
                    let begun = Instant::now();
                    let page = list.page(&filter, order, 50, after).await;
                    times.push(begun.elapsed());
                    let last = page.items.last().map(|(position, _)| *position);
                    after = page.scanned_to.or(last).filter(|_| page.has_next);
                }
                times.sort();
                let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
                let (p50, p95) = (millis(times[19]), millis(times[37]));
                println!("{p50:8.1} {p95:8.1}  {name}, {order:?}");
            }
        }
    }
}
