//! Lists that are written directly as JSON contain the same bytes as those that the executor resolves.
//!
//! A selection whose first field is repeated means the same, and goes to the executor. So each selection is executed in both
//! forms. The entries of the log are random rows, inserted without the use cases, with texts that need escaping.

use std::time::Duration;

use async_graphql::Value as GraphqlValue;
use ledgerbell::domain::member::{NewApiKey, NewMember};
use ledgerbell::graphql::to_json;
use ledgerbell::primitives::actor::{Actor, MemberRole, Permissions, Side};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Dice, TestApp, with};
use crate::reading::rows::{LogRow, log_insertion, log_rows};

const SELECTIONS: usize = 400;
const ENTRY: &[&str] = &[
    "__typename",
    "id",
    "sequence",
    "occurredAt",
    "kind",
    "amount",
    "balanceBefore",
    "balanceAfter",
    "description",
    "hash",
];
const ACTOR: &[&str] = &["__typename", "kind", "id", "label"];
const MEMBER: &[&str] = &["__typename", "id", "externalId", "name", "role", "removedAt", "version"];
const SESSION: &[&str] = &[
    "__typename",
    "id",
    "externalId",
    "title",
    "status",
    "startsAt",
    "endsAt",
    "booked",
    "held",
    "charged",
    "deductionExpectedBy",
    "bookedAt",
    "resolvedAt",
    "refunded",
    "cancelReason",
];
/// What only the executor resolves.
const EXECUTED: &[&str] = &[
    "reversedByCount",
    "reverses { id }",
    "topUp { id }",
    "lotDraws { amount }",
    "session { metadata }",
    "session { member { name } }",
    "member { contact { email } }",
    "actor { member { unreadAlertCount } }",
    "account { name }",
];
const TEXTS: &[&str] = &[
    "Refund: Yoga",
    "\"quoted\" \\ back/slash",
    "\u{1}\u{8}\t\n\u{c}\r\u{1f}\u{7f}\u{85}",
    "Zoë 🦀 \u{2028}\u{2029}\u{feff} 日本語 e\u{301}",
    "</script>&amp;",
    "Credits expired",
    "",
];

/// A generator of selections.
struct Selections {
    dice: Dice,
    keys: usize,
}

impl Selections {
    /// Returns some of these fields, at least one, each with a key of its own.
    fn fields(&mut self, names: &[&str]) -> Vec<String> {
        let chosen = self.dice.some(names, 6);
        chosen.into_iter().map(|name| self.keyed(name)).collect()
    }

    /// Returns the field with an alias, which no other field of the document has.
    fn keyed(&mut self, field: &str) -> String {
        self.keys += 1;
        let directive = match (self.dice.below(12), field.split_once(' ')) {
            (0, None) => " @include(if: true)",
            (1, None) => " @skip(if: false)",
            _ => "",
        };
        format!("k{}: {field}{directive}", self.keys)
    }

    fn object(&mut self, field: &str, names: &[&str]) -> String {
        let fields = self.fields(names).join(" ");
        self.keyed(&format!("{field} {{ {fields} }}"))
    }

    /// Returns the selection of an entry, and its fragment.
    fn entry(&mut self, is_executed: bool) -> (Vec<String>, String) {
        let mut selected = self.fields(ENTRY);
        if self.dice.chance(40) {
            let mut fields = self.fields(ACTOR);
            if self.dice.chance(30) {
                fields.push(self.object("member", MEMBER));
            }
            selected.push(self.keyed(&format!("actor {{ {} }}", fields.join(" "))));
        }
        if self.dice.chance(40) {
            selected.push(self.object("member", MEMBER));
        }
        if self.dice.chance(40) {
            selected.push(self.object("session", SESSION));
        }
        if self.dice.chance(20) {
            let fields = self.fields(ENTRY).join(" ");
            selected.push(format!("... on CreditEntry {{ {fields} ... {{ k: kind }} }}"));
        }
        let mut fragment = String::new();
        if self.dice.chance(20) {
            fragment = format!("fragment F on CreditEntry {{ {} }}", self.fields(ENTRY).join(" "));
            selected.push("...F".to_owned());
        }
        if is_executed {
            let field = self.dice.pick(EXECUTED);
            selected.push(self.keyed(field));
        }
        if self.dice.chance(50) {
            selected.rotate_left(1);
        }
        (selected, fragment)
    }
}

/// Returns whether the response contains rows that were written directly.
fn has_written_rows(value: &GraphqlValue) -> bool {
    match value {
        GraphqlValue::Binary(_) => true,
        GraphqlValue::List(items) => items.iter().any(has_written_rows),
        GraphqlValue::Object(fields) => fields.values().any(has_written_rows),
        _ => false,
    }
}

fn json_of(value: &impl Serialize) -> String {
    to_json(value).expect("JSON")
}

/// A team with a log of everything that a log can contain.
struct Team {
    app: TestApp,
    german: Actor,
    member: Actor,
}

async fn connect(app: &TestApp) -> DatabaseConnection {
    sea_orm::Database::connect(app.database_url()).await.expect("connects")
}

async fn run(connection: &DatabaseConnection, sql: &str, values: Vec<sea_orm::Value>) {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    connection.execute_raw(statement).await.expect("executes");
}

async fn book(app: &TestApp, number: usize) -> String {
    let title = json!({ "title": format!("Lesson {number}") });
    app.book(with(app.booking("2", &number.to_string(), 30..45), title))
        .await
}

/// Books sessions and resolves some of them. Returns their ids.
async fn sessions(app: &TestApp) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(book(app, number).await);
    }
    for (number, reason) in [(1, "Ill: \"flu\" 🤧"), (2, "The account was closed")] {
        let input = json!({ "sessionId": ids[number], "reason": reason, "idempotencyKey": reason });
        app.platform.apply("cancelSession", "", input).await;
    }
    app.advance(Duration::from_mins(50));
    let complete = json!({ "sessionId": ids[0], "idempotencyKey": "c" });
    app.platform.accept("complete_session", complete).await;
    ids.iter()
        .map(|id| id.parse::<ledgerbell::primitives::ids::GlobalId>().expect("an id").uuid)
        .collect()
}

impl Team {
    async fn new() -> Self {
        let mut app = TestApp::start().await;
        app.do_not_verify();
        app.top_up(100).await;
        let services = app.services();
        let account_id = app.team.account.id;
        let new = |name: &str, locale: Option<&str>| NewMember {
            external_id: locale.map(|_| name.to_lowercase()),
            name: name.to_owned(),
            email: Some(format!("{name}@team.example")),
            role: MemberRole::Admin,
            locale: locale.map(str::to_owned),
            email_verified: false,
        };
        let members = &services.members;
        let german = members.add(&Actor::System, account_id, new("Greta", Some("de"))).await;
        let german = german.expect("a member").id;
        let gone = members.add(&Actor::System, account_id, new("Gone", None)).await;
        let gone = gone.expect("a member").id;
        members
            .remove(&Actor::System, account_id, gone)
            .await
            .expect("is removed");
        for side in [Side::Platform, Side::Team] {
            let key = NewApiKey {
                account_id,
                side: Some(side),
                name: format!("Key \"{}\" 🔑", side.as_str()),
                permissions: Permissions::of(side),
                expires_at: None,
            };
            services.api_keys.create(&Actor::System, key).await.expect("a key");
        }
        let sessions = sessions(&app).await;
        let connection = connect(&app).await;
        for (text, member) in TEXTS
            .iter()
            .zip([gone, app.team.admin.member.id, app.team.owner.member.id])
        {
            let values = vec![(*text).into(), member.uuid().into()];
            run(&connection, "UPDATE member SET name = $1 WHERE id = $2", values).await;
        }
        let values = vec![TEXTS[2].into(), TEXTS[3].into(), sessions[3].into()];
        run(
            &connection,
            "UPDATE session SET title = $1, external_id = $2 WHERE id = $3",
            values,
        )
        .await;
        let actor = |member_id, role| Actor::Member {
            account_id,
            member_id,
            role,
        };
        let team = Self {
            german: actor(german, MemberRole::Admin),
            member: actor(app.team.member.member.id, MemberRole::Member),
            app,
        };
        team.fill(&connection, &sessions).await;
        connection.close().await.expect("closes");
        team
    }

    /// Inserts random entries that refer to what exists, and to a member and a session that do not.
    async fn fill(&self, connection: &DatabaseConnection, sessions: &[Uuid]) {
        let ids = async |table: &str| {
            let sql = format!("SELECT id FROM {table} WHERE account_id = $1 ORDER BY id");
            let number = self.app.team.account.id.number();
            let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, [number.into()]);
            let rows = connection.query_all_raw(statement).await.expect("rows");
            let ids = rows.iter().map(|row| row.try_get::<Uuid>("", "id").expect("an id"));
            ids.collect::<Vec<_>>()
        };
        let (members, keys) = (ids("member").await, ids("api_key").await);
        let mut dice = Dice::new(7);
        let mut log = log_rows(&mut dice, 300, 1_772_000_000_000);
        for LogRow {
            sequence,
            description,
            actor_key,
            actor_member,
            member,
            session,
            ..
        } in &mut log
        {
            *sequence += 1_000;
            dice.pick(TEXTS).clone_into(description);
            *actor_key = actor_key.map(|_| dice.pick(&keys));
            *actor_member = actor_member.map(|_| dice.pick(&members));
            *member = member.map(|_| dice.pick(&[&members[..], &[Uuid::nil()]].concat()));
            *session = session.map(|_| dice.pick(&[sessions, &[Uuid::nil()]].concat()));
        }
        let insertion = log_insertion(self.app.team.account.id, &log);
        let insertion = insertion.insert(connection.get_database_backend(), "credit_entry", "");
        connection.execute_raw(insertion).await.expect("is inserted");
    }

    /// Executes a document in both forms. Returns whether the first one has rows that were written directly. Then it has no
    /// errors.
    async fn compare(&self, actor: &Actor, [plain, repeated]: [String; 2]) -> bool {
        let written = self.app.response_to(actor.clone(), &plain).await;
        let executed = self.app.response_to(actor.clone(), &repeated).await;
        assert!(!has_written_rows(&executed.data), "{repeated}");
        assert_eq!(json_of(&written.data), json_of(&executed.data), "{plain}");
        let is_written = has_written_rows(&written.data);
        assert!(
            !is_written || (written.errors.is_empty() && executed.errors.is_empty()),
            "{plain}"
        );
        is_written
    }
}

/// Returns the document with this selection of `nodes`, and the same with the first field repeated.
fn in_both_forms(selected: &[String], document: impl Fn(&str) -> String) -> [String; 2] {
    let plain = selected.join(" ");
    [document(&plain), document(&format!("{plain} {}", selected[0]))]
}

#[tokio::test]
async fn written_rows_are_the_bytes_of_the_executor() {
    let team = Team::new().await;
    let mut selections = Selections {
        dice: Dice::new(42),
        keys: 0,
    };
    for number in 0..SELECTIONS {
        let is_executed = selections.dice.chance(15);
        let (selected, fragment) = selections.entry(is_executed);
        let first = 1 + selections.dice.below(50);
        let actor = [&team.german, &team.member, &Actor::System][number % 3];
        let account = match actor {
            Actor::System => format!("account(id: \"{}\")", team.app.team.id()),
            _ => "account".to_owned(),
        };
        let as_edges = selections.dice.chance(40);
        let documents = in_both_forms(&selected, |selection| {
            let list = if as_edges {
                format!("edges {{ cursor e: node {{ {selection} }} __typename }}")
            } else {
                format!("nodes {{ {selection} }}")
            };
            format!(
                "query {{ {account} {{ log: creditLog(first: {first}) {{ {list} pageInfo {{ endCursor }} }} }} }} {fragment}"
            )
        });
        let question = documents[0].clone();
        assert_eq!(team.compare(actor, documents).await, !is_executed, "{question}");
    }
}

/// Names of members and sessions are read without the rest of their rows. One object may be shown in both ways.
#[tokio::test]
async fn objects_that_are_shown_by_name_are_the_bytes_of_the_executor() {
    let team = Team::new().await;
    for selection in [
        "actor { label }",
        "member { name }",
        "session { title }",
        "member { __typename externalId id n: name }",
        "session { externalId t: title id __typename }",
        "actor { label member { name } } member { name } session { title }",
        "member { name } actor { label member { id role } }",
        "member { role name } actor { label member { name } } session { title status }",
        "named: session { title } session { title refunded } m: member { name } member { version }",
    ] {
        for actor in [&team.german, &team.member, &Actor::System] {
            let id = team.app.team.id();
            let documents = in_both_forms(&["sequence".to_owned(), selection.to_owned()], |selection| {
                format!("{{ account(id: \"{id}\") {{ creditLog(first: 100) {{ nodes {{ {selection} }} }} }} }}")
            });
            assert!(team.compare(actor, documents).await, "{selection}");
        }
    }
}

#[tokio::test]
async fn one_statement_reads_all_names_of_a_page() {
    let team = Team::new().await;
    let statements = async |selection: &str| {
        let document = format!("{{ account {{ creditLog(first: 100) {{ nodes {{ {selection} }} }} }} }}");
        let before = team.app.app().database().statements();
        team.app.response_to(team.member.clone(), &document).await;
        team.app.app().database().statements() - before
    };
    let without = statements("id").await;
    for selection in [
        "member { name }",
        "session { title }",
        "member { name } session { title externalId }",
    ] {
        assert_eq!(statements(selection).await, without + 1, "{selection}");
    }
}

/// The executor merges the values of a field that is selected twice, anywhere on the way to a list.
#[tokio::test]
async fn a_list_that_is_selected_twice_is_merged() {
    let team = Team::new().await;
    let whole = "{ account { creditLog(first: 9) { nodes { id kind member { name } } } } }";
    let whole = team.app.response_to(team.german.clone(), whole).await;
    assert!(has_written_rows(&whole.data));
    for document in [
        "{ account { creditLog(first: 9) { nodes { id } nodes { kind member { name } } } } }",
        "{ account { creditLog(first: 9) { nodes { id } ... { nodes { kind member { name } } } } } }",
        "{ account { creditLog(first: 9) { nodes { id } } creditLog(first: 9) { nodes { kind member { name } } } } }",
        "{ account { creditLog(first: 9) { nodes { id } } } ...F } fragment F on Query { account { creditLog(first: 9) { nodes {
            kind member { name } } } } }",
        "{ account { creditLog(first: 9) { nodes { id kind member { name } member { name } } } } }",
    ] {
        let merged = team.app.response_to(team.german.clone(), document).await;
        assert!(!has_written_rows(&merged.data), "{document}");
        assert_eq!(json_of(&merged), json_of(&whole), "{document}");
    }
    let beside = "{ account { a: creditLog(first: 2) { nodes { id } } b: creditLog(last: 2) { nodes { id } edges { cursor } } } }";
    let beside = team.app.response_to(team.german.clone(), beside).await;
    let beside: Value = serde_json::from_str(&json_of(&beside)).expect("JSON");
    assert_ne!(
        beside["data"]["account"]["a"]["nodes"],
        beside["data"]["account"]["b"]["nodes"]
    );
}

/// An entry of a member who does not exist: the executor reports the error at its field.
#[tokio::test]
async fn rows_that_cannot_be_written_have_the_errors_of_the_executor() {
    let team = Team::new().await;
    let connection = connect(&team.app).await;
    let sql = "UPDATE credit_entry SET actor_kind = 'MEMBER', actor_key_id = NULL, actor_member_id = $1 WHERE sequence = 1300";
    run(&connection, sql, vec![Uuid::nil().into()]).await;
    connection.close().await.expect("closes");
    let answer = async |document: &str| {
        let mut response = team.app.response_to(team.german.clone(), document).await;
        // Each failure has a reference of its own.
        for error in &mut response.errors {
            error.extensions = None;
        }
        json_of(&response)
    };
    let written = answer("{ account { creditLog(first: 3) { nodes { id actor { label } } } } }").await;
    let executed = answer("{ account { creditLog(first: 3) { nodes { id actor { label } id } } } }").await;
    assert_eq!(written, executed);
    assert!(
        written.contains("\"creditLog\":null") && written.contains("\"errors\":[{"),
        "{written}"
    );
}

#[tokio::test]
async fn messages_of_subscriptions_contain_written_rows() {
    let team = Team::new().await;
    let mut selections = Selections {
        dice: Dice::new(3),
        keys: 0,
    };
    let client = &team.app.team.owner.client;
    for _ in 0..8 {
        let (selected, fragment) = selections.entry(false);
        let [plain, repeated] = in_both_forms(&selected, |selection| {
            format!(
                "subscription {{ balanceChanged {{ signal cursor account {{ creditLog(first: 7) {{
                    nodes {{ {selection} }} edges {{ node {{ {selection} }} }} }} }} }} }} {fragment}"
            )
        });
        let mut written = team.app.subscribe(client, &plain, json!({})).await;
        let mut executed = team.app.subscribe(client, &repeated, json!({})).await;
        written.expect("CAUGHT_UP").await;
        executed.expect("CAUGHT_UP").await;
        team.app.top_up(1).await;
        let (written, executed) = (written.next().await, executed.next().await);
        assert_eq!(written.signal(), "ITEM");
        assert_eq!(written.payload, executed.payload, "{plain}");
    }
}
