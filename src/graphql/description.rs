//! The description of the schema. The library answers `__schema { description }` with a sentence about schemas in general.

use async_graphql::{Response, Value};

const DESCRIPTION: &str = "Ledgerbell: the prepaid credits of teams. Read an account's balance, credit log, sessions, top-ups and alerts; \
    change them by mutations, whose refusals are userErrors; and follow them by subscriptions, which miss nothing and repeat nothing \
    from a cursor on. Sign in with `Authorization: Bearer <token or API key>`. Amounts of credits and money are exact decimals in \
    strings. Ids are opaque.";

const OF_THE_LIBRARY: &str = "A GraphQL Schema defines the capabilities of a GraphQL server. It exposes all available types and \
    directives on the server, as well as the entry points for query, mutation, and subscription operations.";

/// Replaces the description of the library in a response.
pub(super) fn describe(response: &mut Response) {
    let Value::Object(data) = &mut response.data else {
        return;
    };
    for root in data.values_mut() {
        let Value::Object(schema) = root else { continue };
        for value in schema.values_mut() {
            if matches!(value, Value::String(text) if text == OF_THE_LIBRARY) {
                *value = Value::from(DESCRIPTION);
            }
        }
    }
}
