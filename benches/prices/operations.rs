//! The measured operations: for each field that reads or writes more than a row, the largest operation that is allowed, and its
//! time. A test of the document guard compares prices with these figures.

use serde_json::{Map, Value};

pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// Its processor time in milliseconds, measured as [`MEASURED`] describes.
    pub(crate) millis: f64,
    pub(crate) document: &'static str,
    pub(crate) who: Who,
    /// The number of entries in the file behind the link in the response, which is downloaded; 0 if there is none.
    pub(crate) entries: u64,
}

impl Operation {
    /// Returns those of the variables that the operation declares.
    pub(crate) fn variables(&self, all: Value) -> Value {
        let Value::Object(all) = all else {
            return Value::Null;
        };
        let declared = |name: &String| self.document.contains(&format!("${name}:"));
        let declared: Map<String, Value> = all.into_iter().filter(|(name, _)| declared(name)).collect();
        Value::Object(declared)
    }
}

pub(crate) enum Who {
    Owner,
    Platform,
}

const fn read(name: &'static str, millis: f64, document: &'static str) -> Operation {
    Operation {
        name,
        millis,
        document,
        who: Who::Owner,
        entries: 0,
    }
}

const fn change(name: &'static str, millis: f64, document: &'static str) -> Operation {
    Operation {
        name,
        millis,
        document,
        who: Who::Platform,
        entries: 0,
    }
}

/// How the milliseconds were measured.
pub(crate) const MEASURED: &str = "a release build without LTO, over HTTP less an empty request; SQLite, 1,500 sessions, 120 members and \
    top-ups; 29 November 2026. A figure of 0 is not compared.";

pub(crate) const OPERATIONS: &[Operation] = &[
    read("viewer", 0.039, "{ viewer { kind } }"),
    read(
        "account",
        0.898,
        "{ account { id externalId name status timezone version createdAt creditPrice { amount currency } \
         balance { version posted held available incoming sequence } eligibility { canBook canJoin reason } } }",
    ),
    read(
        "creditLog(100) in full",
        8.955,
        "{ account { creditLog(first: 100) { nodes { id sequence occurredAt kind amount balanceBefore balanceAfter description \
         actor { kind label member { id } } member { id name } session { id title status } topUp { id status } } \
         pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }",
    ),
    read(
        "creditLog(100) bare",
        2.308,
        "{ account { creditLog(first: 100) { nodes { id } } } }",
    ),
    read(
        "creditLog search",
        6.186,
        "{ account { creditLog(first: 100, filter: { search: \"nothing such\" }) { nodes { id } } } }",
    ),
    read(
        "creditLog.totals",
        1.279,
        "{ account { creditLog(first: 1) { totals { scope count added deducted net } } } }",
    ),
    read(
        "creditUsage by member",
        5.128,
        "{ account { creditUsage(groupBy: [MEMBER], first: 100) { nodes { totals { count net } member { id name } } } } }",
    ),
    read(
        "creditUsage by month",
        2.817,
        "{ account { creditUsage(groupBy: [MONTH], first: 20) { nodes { totals { count net } } } } }",
    ),
    read(
        "creditUsage by all",
        6.186,
        "{ account { creditUsage(groupBy: [MEMBER, KIND, ACTOR, DAY], first: 100) { nodes { totals { count net } } } } }",
    ),
    read(
        "members(100)",
        1.5,
        "{ account { members(first: 100) { nodes { id name role } } } }",
    ),
    read(
        "members(100) with usage",
        21.429,
        "{ account { members(first: 100) { nodes { id name role usage { count added deducted net } } } } }",
    ),
    read(
        "members(100) contacts",
        12.245,
        "{ account { members(first: 100) { nodes { id name unreadAlertCount contact { email emailStatus } } } } }",
    ),
    read(
        "topUps(100) in full",
        12.979,
        "{ account { topUps(first: 100) { nodes { id status origin credits price { amount currency } requestedBy { kind label } \
         attempts { number outcome startedAt actor { label } paymentMethod { last4 } } failure { message } canRetry nextAttemptAt entry { id } entries { id amount } \
         creditsReversed createdAt updatedAt } } } }",
    ),
    read(
        "topUps(100) canRetry",
        5.172,
        "{ account { topUps(first: 100) { nodes { canRetry } } } }",
    ),
    read(
        "topUps(100) bare",
        2.429,
        "{ account { topUps(first: 100) { nodes { id } } } }",
    ),
    read(
        "alerts(100) with deliveries",
        94.286,
        "{ account { alerts(first: 100) { nodes { id kind severity title body raisedAt readAt \
         deliveries { nodes { id channel status recipient { id name } } } } } } }",
    ),
    read(
        "alerts(100)",
        6.383,
        "{ account { alerts(first: 100) { nodes { id kind title body } } } }",
    ),
    read(
        "alerts.unreadCount",
        1.405,
        "{ account { alerts(first: 1) { unreadCount } } }",
    ),
    read(
        "sessions(100) with entries",
        6.593,
        "{ account { sessions(first: 100) { nodes { id title status startsAt endsAt booked held charged refunded \
         member { id name } entries { id kind amount } } } } }",
    ),
    read(
        "sessions(100) bare",
        2.804,
        "{ account { sessions(first: 100) { nodes { id } } } }",
    ),
    read(
        "creditLots(100)",
        5.042,
        "{ account { creditLots(first: 100, includeSpent: true) { nodes { id granted remaining expiresAt entry { id } } } } }",
    ),
    read(
        "explainBalance",
        0.724,
        "{ account { explainBalance { posted held available sequence } } }",
    ),
    read(
        "explainBalance.totals",
        1.917,
        "{ account { explainBalance { totals { totals { count net } } } } }",
    ),
    read(
        "explainBalance.entries(100)",
        3.774,
        "{ account { explainBalance { entries(first: 100) { nodes { id } } } } }",
    ),
    read(
        "explainBalance.holds(100)",
        12.5,
        "{ account { explainBalance { holds(first: 100) { nodes { session { id } } } } } }",
    ),
    read(
        "forecast",
        5.455,
        "{ account { forecast { creditsPerDay depletedAt } } }",
    ),
    read(
        "simulateAutoTopUp",
        7.692,
        "{ account { simulateAutoTopUp(trigger: \"100\", amount: \"500\") { chargeCount } } }",
    ),
    read("troubleshooting", 9.231, "{ account { troubleshooting { code } } }"),
    read(
        "autoTopUp",
        2.113,
        "{ account { autoTopUp { enabled trigger amount } } }",
    ),
    read("paymentMethods", 0.644, "{ account { paymentMethods { id last4 } } }"),
    read("apiKeys", 1.25, "{ account { apiKeys { id name } } }"),
    read(
        "nodes(100)",
        29.048,
        "query N($members: [ID!]!) { nodes(ids: $members) { id ... on Member { name usage { count } } } }",
    ),
    read("events", 0.426, "{ account { events(first: 100) { cursor hasMore } } }"),
    read("liveCursor", 0.278, "{ account { liveCursor } }"),
    Operation {
        name: "creditLogExport of all",
        millis: 44.286,
        document: "{ account { creditLogExport { url } } }",
        who: Who::Owner,
        entries: 1_643,
    },
    // 7.7 ms the first time, and from memory afterwards: the price is deliberately higher than the cost.
    read(
        "introspection",
        0.0,
        include_str!("../../tests/documents/introspection.graphql"),
    ),
    read(
        "introspection, types of types",
        18.485,
        "{ __schema { types { name fields { name type { name fields { name type { name fields { name } } } } } } } }",
    ),
    read(
        "introspection, descriptions",
        3.0,
        "{ __schema { types { name description fields { name description args { name description } } } } }",
    ),
    read(
        "introspection, one type",
        0.547,
        "{ __type(name: \"Account\") { name fields { name description args { name type { name } } } } }",
    ),
    change(
        "grantCredits",
        1.802,
        "mutation G($id: ID, $key: String!) { grantCredits(input: {accountId: $id, credits: \"1\", description: \"x\", idempotencyKey: $key}) \
         { entry { id amount } userErrors { code } } }",
    ),
    change(
        "bookSession",
        5.042,
        "mutation B($id: ID, $member: ID, $key: String!, $startsAt: DateTime!, $endsAt: DateTime!) { bookSession(input: {accountId: $id, \
         memberId: $member, title: \"Yoga\", credits: \"0.01\", idempotencyKey: $key, startsAt: $startsAt, endsAt: $endsAt}) \
         { session { id status } balance { available } userErrors { code } } }",
    ),
    change(
        "updateMember",
        1.386,
        "mutation U($member: ID!, $run: String!) { updateMember(input: {memberId: $member, name: $run}) { member { id name } userErrors { code } } }",
    ),
];
