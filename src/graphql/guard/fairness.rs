//! Checks whether prices match the cost of operations, as measured by `make bench-prices`.

use serde_json::json;

use super::*;

#[path = "../../../benches/prices/operations.rs"]
#[allow(dead_code, reason = "the bench runs what is only priced here")]
mod operations;

use operations::{OPERATIONS, Operation};

/// Operations that take less time mostly consist of the overhead of every request.
const LEAST_MILLIS: f64 = 0.5;
/// The largest allowed ratio between the units per millisecond of two operations.
const FACTOR: f64 = 4.0;

fn price(operation: &Operation, limit: u64) -> u64 {
    let guard = Guard::new(Limits {
        cost: limit,
        trusted: TrustedDocuments::default(),
        only_trusted: false,
    });
    let variables = operation.variables(json!({
        "id": "id", "member": "id", "members": vec!["id"; 100], "run": "1", "key": "key",
        "startsAt": "2026-03-02T09:00:00Z", "endsAt": "2026-03-02T10:00:00Z",
    }));
    let checked = guard.check(Parameters {
        query: Some(operation.document.to_owned()),
        variables: Variables::from_json(variables),
        ..Parameters::default()
    });
    let checked = checked.unwrap_or_else(|response| panic!("{}: {:?}", operation.name, response.errors));
    checked.cost + operation.entries * crate::graphql::EXPORTED_ENTRY
}

#[test]
fn prices_lie_within_a_factor_of_four_of_what_operations_take() {
    let mut rates: Vec<(f64, &str)> = OPERATIONS
        .iter()
        .filter(|operation| operation.millis >= LEAST_MILLIS)
        .map(|operation| {
            #[allow(clippy::cast_precision_loss, reason = "prices are small")]
            let price = price(operation, u64::MAX) as f64;
            (price / operation.millis, operation.name)
        })
        .collect();
    assert!(rates.len() > 20, "most of what is measured takes long enough");
    rates.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (least, most) = (rates[0], rates[rates.len() - 1]);
    assert!(most.0 <= FACTOR * least.0, "units a millisecond: {rates:#?}");
}

#[test]
fn full_pages_of_ordinary_screens_fit_into_the_budget_of_an_operation() {
    // Of introspection, only the queries of tools. Other documents may exceed the budget of one operation.
    let is_ordinary = |operation: &&Operation| !operation.name.starts_with("introspection,");
    for operation in OPERATIONS
        .iter()
        .filter(|operation| operation.entries == 0)
        .filter(is_ordinary)
    {
        price(operation, 20_000);
    }
}
