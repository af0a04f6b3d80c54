//! Tests of hostile documents, and of the cost of ordinary ones.

use async_graphql::parser::parse_query;
use serde_json::{Value, json};

use super::*;

fn guard() -> Guard {
    Guard::new(Limits {
        cost: 10_000,
        trusted: TrustedDocuments::default(),
        only_trusted: false,
    })
}

fn asking(query: &str, variables: Value) -> Parameters {
    Parameters {
        query: Some(query.to_owned()),
        variables: Variables::from_json(variables),
        ..Parameters::default()
    }
}

fn check(query: &str) -> Result<Operation, Box<Response>> {
    guard().check(asking(query, json!({})))
}

fn cost_with(query: &str, variables: Value) -> u64 {
    let checked = guard().check(asking(query, variables));
    checked
        .unwrap_or_else(|response| panic!("{query}: {:?}", response.errors))
        .cost
}

fn cost(query: &str) -> u64 {
    cost_with(query, json!({}))
}

fn refusal(query: &str) -> (String, String) {
    let response = check(query).expect_err(query);
    let error = &response.errors[0];
    let code = errors::code_of(error).unwrap_or_default().to_owned();
    (code, error.message.clone())
}

/// Returns the work on a text before it was refused: tokens read, and selections visited.
fn work(text: &str) -> (usize, usize) {
    let Ok(tokens) = text::count_tokens(text) else {
        return (text::MOST_TOKENS, 0);
    };
    let Ok(document) = parse_query(text) else {
        return (tokens, 0);
    };
    let visited = weight::check(&document).unwrap_or_default();
    (tokens, visited)
}

/// Fragments that each spread the next one twice: 2^28 paths lead to the last.
fn bomb() -> String {
    chain(28)
}

/// A number of fragments, each of which spreads the next one twice.
fn chain(length: usize) -> String {
    let fragments = (0..length).map(|number| {
        let next = number + 1;
        format!(" fragment F{number} on Account {{ ...F{next} ...F{next} }}")
    });
    let fragments = fragments.collect::<Vec<_>>().concat();
    format!("{{ account {{ ...F0 }} }}{fragments} fragment F{length} on Account {{ name }}")
}

fn hostile() -> Vec<(&'static str, String, &'static str)> {
    let many = |word: &str, times: usize| word.repeat(times);
    let aliases = (0..1_000).map(|number| format!("a{number}: kind "));
    let aliases = aliases.collect::<Vec<_>>().concat();
    let nested = "... on Account { ".repeat(40);
    vec![
        ("a fragment bomb", bomb(), "TOO_COMPLEX"),
        ("1,000 aliases", format!("{{ viewer {{ {aliases} }} }}"), "TOO_COMPLEX"),
        (
            "1,000 directives",
            format!("{{ viewer {{ kind {} }} }}", many("@include(if: true) ", 1_000)),
            "TOO_COMPLEX",
        ),
        (
            "1,000 directives of an operation",
            format!("query {} {{ viewer {{ kind }} }}", many("@a ", 1_000)),
            "TOO_COMPLEX",
        ),
        (
            "10,000 repeated fields",
            format!("{{ viewer {{ {} }} }}", many("kind ", 10_000)),
            "TOO_COMPLEX",
        ),
        ("100,000 brackets", many("[", 100_000), "TOO_COMPLEX"),
        ("100,000 brackets one after another", many("[]", 50_000), "TOO_COMPLEX"),
        (
            "a fragment that spreads itself",
            "{ account { ...A } } fragment A on Account { ...B ...B } fragment B on Account { ...A ...A }".to_owned(),
            "BAD_REQUEST",
        ),
        ("a million words", many("a ", 1_000_000), "TOO_COMPLEX"),
        (
            "selections within one another",
            format!("{{ account {{ {nested} name {} }} }}", "}".repeat(40)),
            "TOO_COMPLEX",
        ),
        (
            "a string without an end",
            format!("{{ a(b: \"{}", many("x", 50_000)),
            "BAD_REQUEST",
        ),
        (
            "introspection in circles",
            format!(
                "{{ __schema {{ types {{ {} name {} }} }} }}",
                many("fields { type { ", 5),
                many("} } ", 5)
            ),
            "TOO_COMPLEX",
        ),
    ]
}

#[test]
fn hostile_documents_are_refused_with_little_work() {
    for (what, text, expected) in hostile() {
        assert_eq!(refusal(&text).0, expected, "{what}");
        let (tokens, visited) = work(&text);
        assert!(tokens <= text::MOST_TOKENS, "{what}: {tokens} words read");
        // A parsed document has no more selections than tokens, and each is visited once.
        assert!(visited <= tokens, "{what}: {visited} selections visited");
    }
}

#[test]
fn each_fragment_is_weighed_once() {
    // With seven fragments it is not refused: 128 paths lead to the last.
    let document = parse_query(chain(7)).expect("parses");
    assert_eq!(weight::check(&document), Ok(2 + 7 * 2 + 1));
}

#[test]
fn what_is_asked_for_costs_its_fields_times_its_items() {
    assert_eq!(cost("{ viewer { kind } }"), 2);
    // A page costs 10; its list and each field of its items are multiplied by the number of items.
    assert_eq!(
        cost("{ account { creditLog(first: 50) { nodes { id kind } } } }"),
        1 + 10 + 50 * 3
    );
    assert_eq!(cost("{ account { creditLog { nodes { id } } } }"), 1 + 10 + 20 * 2);
    assert_eq!(
        cost("{ account { creditLog(last: 3) { nodes { id } } } }"),
        1 + 10 + 3 * 2
    );
    assert_eq!(
        cost("{ account { creditLog(first: null, last: 3) { nodes { id } } } }"),
        1 + 10 + 3 * 2
    );
    assert_eq!(
        cost("{ account { creditLog(first: 2) { edges { node { id } } totals { count } pageInfo { endCursor } } } }"),
        1 + 10 + 2 * 3 + 101 + 2
    );
    let filtered =
        |filter: &str| format!("{{ account {{ creditLog(first: 2, filter: {filter}) {{ nodes {{ id }} }} }} }}");
    assert_eq!(cost(&filtered("{ search: \"x\" }")), 1 + 10 + 350 + 2 * 2);
    assert_eq!(cost(&filtered("null")), 1 + 10 + 2 * 2);
    // A request that the server will refuse anyway counts as the maximum it would return.
    assert_eq!(
        cost("{ account { creditLog(first: 5000) { nodes { id } } } }"),
        1 + 10 + 100 * 2
    );
    assert_eq!(cost("{ nodes(ids: [\"a\", \"b\", \"c\"]) { id } }"), 3 * 13);
    assert_eq!(cost("{ account { apiKeys { id name } } }"), 1 + 105 + 5 * 2);
}

#[test]
fn variables_and_their_defaults_count() {
    let page = "query P($n: Int = 4) { account { creditLog(first: $n) { nodes { id } } } }";
    assert_eq!(cost_with(page, json!({ "n": 50 })), 11 + 50 * 2);
    assert_eq!(cost_with(page, json!({})), 11 + 4 * 2);
    assert_eq!(cost_with(page, json!({ "n": null })), 11 + 20 * 2);
    assert_eq!(cost_with(page, json!({ "n": -1 })), 11 + 2);
    let nodes = "query N($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    assert_eq!(cost_with(nodes, json!({ "ids": ["a", "b"] })), 2 * 13);
    let within =
        "query W($n: Int, $m: Int) { accounts(first: $n) { nodes { creditLog(first: $m) { nodes { id } } } } }";
    assert_eq!(cost_with(within, json!({ "n": 3, "m": 7 })), 10 + 3 * (1 + 10 + 7 * 2));
}

#[test]
fn changes_in_bulk_cost_as_often_as_they_are_made() {
    let item = |key: &str| json!({ "idempotencyKey": key });
    let bulk =
        "mutation B($input: CompleteSessionsInput!) { completeSessions(input: $input) { results { session { id } } } }";
    let three = json!({ "input": { "items": [item("1"), item("2"), item("3")] } });
    assert_eq!(cost_with(bulk, three), 3 * (50 + 3));
    let items = "mutation B($items: [CompleteSessionInput!]!) { completeSessions(input: { items: $items }) { account { id } } }";
    assert_eq!(cost_with(items, json!({ "items": [item("1"), item("2")] })), 2 + 2 * 50);
}

#[test]
fn fragments_are_priced_on_their_own_types() {
    let plain = "{ account { creditLog(first: 7) { nodes { id member { name } } } } }";
    let spread = "{ account { ...L } } fragment L on Account { creditLog(first: 7) { ...P ... { pageInfo { endCursor } } } } \
        fragment P on CreditEntryConnection { nodes { ... on CreditEntry { id } member { name } } }";
    assert_eq!(cost(spread), cost(plain) + 2);
    assert_eq!(
        cost("{ node(id: \"a\") { id ... on Account { creditLog(first: 3) { nodes { id } } } } }"),
        1 + 1 + 10 + 3 * 2
    );
}

#[test]
fn pages_within_pages_do_not_fit_and_ordinary_ones_do() {
    let within = "{ account { creditLog(first: 100) { nodes { member { account { creditLog(first: 100) { nodes { id } } } } } } } }";
    let (code, message) = refusal(within);
    assert_eq!(code, "TOO_COMPLEX");
    assert!(message.contains("21311") && message.contains("10000"), "{message}");
    let ordinary = "{ account { id name balance { posted held available } creditLog(first: 50) { nodes { id sequence occurredAt kind \
        amount balanceAfter description actor { kind label } member { id name role } session { id title status } \
        topUp { id status credits } } pageInfo { hasNextPage endCursor } totals { count net } } } }";
    assert!(cost(ordinary) * 4 < 10_000, "{}", cost(ordinary));
}

#[test]
fn numbers_do_not_overflow() {
    let mut query = "id".to_owned();
    for _ in 0..5 {
        query = format!("creditLog(first: 100) {{ nodes {{ member {{ account {{ {query} }} }} }} }}");
    }
    assert!(refusal(&format!("{{ account {{ {query} }} }}")).0 == "TOO_COMPLEX");
}

#[test]
fn only_the_schema_itself_is_introspection() {
    for query in [
        "{ __schema { types { name } } }",
        "query { ...A ...A } fragment A on Query { __typename }",
        "{ ... on Query { __type(name: \"Query\") { name } } }",
    ] {
        assert!(check(query).expect("passes").is_introspection, "{query}");
    }
    for query in [
        "{ viewer { kind } }",
        "{ __typename viewer { kind } }",
        "query { ...A } fragment A on Query { ...B } fragment B on Query { viewer { kind } }",
        "mutation { __typename }",
        "{ ...Missing }",
    ] {
        assert!(!check(query).expect("passes").is_introspection, "{query}");
    }
}

#[test]
fn the_operation_is_the_one_that_is_named() {
    assert!(check("{ a").is_err());
    assert!(check("query A { a } query B { b }").is_err());
    let asked = Parameters {
        operation_name: Some("B".to_owned()),
        ..asking("query A { a } mutation B { b }", json!({}))
    };
    assert_eq!(guard().check(asked).expect("passes").kind, OperationKind::Mutation);
}

#[test]
fn subscriptions_have_one_field_at_their_top() {
    assert_eq!(
        check("subscription { a { b c } }").expect("passes").kind,
        OperationKind::Subscription
    );
    for query in [
        "subscription { a b }",
        "subscription { ...A } fragment A on Subscription { a b }",
        "subscription { a @include(if: true) }",
        "subscription { ... @skip(if: false) { a } }",
        "subscription { __typename }",
    ] {
        assert_eq!(refusal(query).0, "BAD_REQUEST", "{query}");
    }
}

#[test]
fn a_mutation_that_moves_credits_stands_alone() {
    for query in [
        "mutation { a: grantCredits(input: {}) { entry { id } } b: grantCredits(input: {}) { entry { id } } }",
        "mutation { ...A addMember(input: {}) { member { id } } } fragment A on Mutation { bookSession(input: {}) { entry { id } } }",
    ] {
        assert_eq!(refusal(query).0, "TOO_COMPLEX", "{query}");
    }
    assert!(
        check("mutation { a: addMember(input: {}) { member { id } } b: addMember(input: {}) { member { id } } }")
            .is_ok()
    );
}

#[test]
fn a_document_is_remembered_with_its_price_and_not_its_variables() {
    let guard = guard();
    let page = "query P($n: Int) { account { creditLog(first: $n) { nodes { id } } } }";
    let first = guard.check(asking(page, json!({ "n": 1 }))).expect("passes");
    let second = guard.check(asking(page, json!({ "n": 50 }))).expect("passes");
    assert_eq!((first.cost, second.cost), (11 + 2, 11 + 50 * 2));
    assert_eq!(guard.documents.remembered(), 1);
}

#[test]
fn what_is_remembered_is_bounded() {
    let guard = guard();
    for number in 0..3_000 {
        let fields = "kind ".repeat(200);
        let query = format!("query Q{number} {{ viewer {{ {fields} }} }}");
        guard.check(asking(&query, json!({}))).expect("passes");
    }
    let (remembered, memory) = (guard.documents.remembered(), guard.documents.memory());
    assert!(
        remembered > 50 && memory <= 16 * 1024 * 1024,
        "{remembered} documents, {memory} bytes"
    );
}

/// Prints the time of hostile and ordinary documents: `cargo test --lib guard -- --ignored --nocapture`.
#[test]
#[ignore = "measures; asserts nothing"]
#[allow(clippy::print_stdout, reason = "what a measurement prints is its result")]
fn time_of_documents() {
    let guard = guard();
    let time = |query: &str| {
        let begun = std::time::Instant::now();
        for _ in 0..10 {
            drop(guard.check(asking(query, json!({}))));
        }
        begun.elapsed() / 10
    };
    check("{ __typename }").expect("passes");
    for (what, text, _) in hostile() {
        println!("{what:<40} {:?}", time(&text));
    }
    let page = "{ account { creditLog(first: 50) { nodes { id sequence occurredAt kind amount balanceAfter description \
        actor { label } member { name } session { title } } pageInfo { endCursor } } } }";
    let types = types_of_schema();
    let begun = std::time::Instant::now();
    for _ in 0..200 {
        drop(Document::read(page, types));
    }
    println!("{:<40} {:?}", "an ordinary page, read", begun.elapsed() / 200);
    let begun = std::time::Instant::now();
    for _ in 0..200 {
        drop(guard.check(asking(page, json!({}))));
    }
    println!("{:<40} {:?}", "an ordinary page, remembered", begun.elapsed() / 200);
}
