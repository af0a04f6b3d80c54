//! Fields whose value depends on the caller: they are marked with `@viewer` in the schema, and never shared.
//!
//! The completeness of the marks is tested by selecting every field of the schema. The callers are two members with equal
//! rights, and an artificial caller with the same rights. Where the responses differ, a mark is missing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;

use graphql_parser::schema::{Definition, Document, Field, Type, TypeDefinition, parse_schema};
use ledgerbell::primitives::actor::Permission;
use serde_json::{Value, json};

use super::{book, complete};
use crate::harness::{Person, TestApp};
use crate::notification::{set, verify};

/// Selections of the marked fields, below a message of `accountUpdated`.
const MARKED: &[(&str, &str)] = &[
    ("Account.alerts", "account { alerts(first: 1) { nodes { id } } }"),
    ("Account.creditLogExport", "account { creditLogExport { url } }"),
    ("Account.events", "account { events { cursor } }"),
    (
        "Account.troubleshooting",
        "account { troubleshooting { summary cause } }",
    ),
    ("AccountEvent.alerts", "alerts { id }"),
    ("AccountEvent.inboxItems", "inboxItems { id }"),
    ("AccountEvent.unreadCount", "unreadCount"),
    (
        "Alert.action",
        "account { alerts(first: 9) { nodes { action { label } } } }",
    ),
    (
        "Alert.archivedAt",
        "account { alerts(first: 9) { nodes { archivedAt } } }",
    ),
    ("Alert.body", "account { alerts(first: 9) { nodes { body } } }"),
    (
        "Alert.deliveries",
        "account { alerts(first: 9) { nodes { deliveries(first: 9) { nodes { recipient { name } } } } } }",
    ),
    ("Alert.readAt", "account { alerts(first: 9) { nodes { readAt } } }"),
    ("Alert.title", "account { alerts(first: 9) { nodes { title } } }"),
    ("AlertConnection.unreadCount", "account { alerts { unreadCount } }"),
    (
        "AlertEdge.archivedAt",
        "account { alerts(first: 9) { edges { archivedAt } } }",
    ),
    ("AlertEdge.readAt", "account { alerts(first: 9) { edges { readAt } } }"),
    (
        "Member.alerts",
        "account { members { nodes { alerts(first: 2) { nodes { id } } } } }",
    ),
    (
        "Member.contact",
        "account { members { nodes { contact { email locale } } } }",
    ),
    (
        "Member.deliveries",
        "account { members { nodes { deliveries(first: 3) { nodes { status } } } } }",
    ),
    (
        "Member.notificationSettings",
        "account { members { nodes { notificationSettings { lowBalanceThreshold } } } }",
    ),
    (
        "Member.unreadAlertCount",
        "account { members { nodes { unreadAlertCount } } }",
    ),
    ("Member.usage", "account { members { nodes { usage { net } } } }"),
];

/// What differs between the two members in these tests.
const DIFFERENT: &[&str] = &[
    "Account.creditLogExport",
    "Account.troubleshooting",
    "Alert.title",
    "Alert.body",
    "Alert.readAt",
    "AlertConnection.unreadCount",
    "AlertEdge.readAt",
];

fn schema_text() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql")).expect("the schema")
}

/// Returns the fields of each object type.
fn objects<'a, 'b>(document: &'a Document<'b, String>) -> BTreeMap<&'a str, Vec<&'a Field<'b, String>>> {
    let types = document.definitions.iter().filter_map(|definition| match definition {
        Definition::TypeDefinition(TypeDefinition::Object(object)) => {
            Some((object.name.as_str(), object.fields.iter().collect()))
        }
        _ => None,
    });
    types.collect()
}

fn is_marked(field: &Field<'_, String>) -> bool {
    field.directives.iter().any(|directive| directive.name == "viewer")
}

/// Returns a team whose admins Adam and Mia have equal rights: Mia reads German, Adam has read an alert, and both have used
/// credits.
async fn two_admins() -> TestApp {
    let app = TestApp::start().await;
    super::promote_member(&app).await;
    let team = &app.team;
    verify(&app, &team.admin).await;
    team.member
        .client
        .mutate("updateContact", "", json!({ "locale": "de" }))
        .await;
    for (person, level) in [(&team.admin, "55"), (&team.member, "45")] {
        set(person, json!({ "lowBalanceThreshold": level })).await;
    }
    app.top_up(60).await;
    for person in [&team.admin, &team.member] {
        let session = book(&app, &person.id(), &format!("of {}", person.id())).await;
        complete(&app, &session).await;
        book(&app, &person.id(), &format!("later of {}", person.id())).await;
    }
    app.evaluate().await;
    let spend =
        json!({ "accountId": app.team.id(), "amount": "-30", "description": "Spent", "idempotencyKey": "spent" });
    app.platform.accept("adjust_credits", spend).await;
    app.evaluate().await;
    let alerts = "{ account { alerts(first: 1) { nodes { id } } } }";
    let first = team.admin.client.query(alerts, json!({})).await;
    let input = json!({ "alertIds": [first.at("/account/alerts/nodes/0/id")] });
    let read = team.admin.client.mutate("markAlertsRead", "", input).await;
    assert_eq!(read["userErrors"], json!([]));
    app
}

/// Returns the part of a message below a selection, without what does not belong to it.
fn part(mut message: Value) -> Value {
    let fields = message.as_object_mut().expect("an object");
    fields.remove("cursor");
    fields.remove("signal");
    message
}

/// Export links are signed again each time: only the requester is compared.
fn requester(value: &Value) -> Option<Value> {
    let url = value.pointer("/account/creditLogExport/url")?.as_str()?;
    let claims = url.split_once("token=")?.1.split('.').next()?;
    let claims = data_encoding::BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?;
    serde_json::from_slice::<Value>(&claims).ok()?.get("requester").cloned()
}

#[tokio::test]
async fn members_of_equal_rights_each_get_their_own_of_every_marked_field() {
    let text = schema_text();
    let document = parse_schema::<String>(&text).expect("a schema");
    let marked: BTreeSet<String> = objects(&document)
        .iter()
        .flat_map(|(name, fields)| {
            fields
                .iter()
                .filter(|field| is_marked(field))
                .map(move |field| format!("{name}.{}", field.name))
        })
        .filter(|name| !name.starts_with("Subscription."))
        .collect();
    let known: BTreeSet<String> = MARKED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(marked, known, "each marked field has a line here");

    let app = two_admins().await;
    let people: [&Person; 2] = [&app.team.admin, &app.team.member];
    let mut followers = Vec::new();
    for (_, selection) in MARKED {
        let document = format!("subscription {{ accountUpdated {{ cursor signal {selection} }} }}");
        for person in people {
            let mut follower = app.subscribe(&person.client, &document, json!({})).await;
            follower.expect("CAUGHT_UP").await;
            followers.push(follower);
        }
    }
    app.top_up(7).await;
    for ((name, selection), pair) in MARKED.iter().zip(followers.chunks_mut(2)) {
        let mut got = Vec::new();
        for (follower, person) in pair.iter_mut().zip(people) {
            let mine = part(follower.expect("ITEM").await);
            // A value that can be queried must equal the value that was sent.
            if selection.starts_with("account") && !selection.contains("events") {
                let asked = person.client.query(&format!("{{ {selection} }}"), json!({})).await;
                match requester(&mine) {
                    Some(requester) => assert_eq!(requester, json!(person.id())),
                    None => assert_eq!(&mine, asked.data(), "{name} of {}", person.member.name),
                }
            }
            got.push(mine);
        }
        if DIFFERENT.contains(name) {
            assert_ne!(got[0], got[1], "{name}");
        }
    }
}

/// The value of a variable counts wherever the document uses it, however its name is written there.
#[tokio::test]
async fn those_who_begin_at_different_places_do_not_share_what_depends_on_the_place() {
    let app = TestApp::start().await;
    let client = &app.team.admin.client;
    let document = "subscription ($after: LiveCursor) { balanceChanged(after: $after) { cursor signal
        account { events(after: $ after, first: 50) { events { cursor } } } } }";
    let mut early = app.subscribe(client, document, json!({ "after": null })).await;
    early.expect("CAUGHT_UP").await;
    let begin = early.cursor.clone();
    app.top_up(3).await;
    early.expect("ITEM").await;
    let later = early.cursor.clone();
    let mut seen = Vec::new();
    let mut followers = Vec::new();
    for after in [&begin, &later] {
        let mut follower = app.subscribe(client, document, json!({ "after": after })).await;
        while follower.next().await.signal() != "CAUGHT_UP" {}
        followers.push(follower);
    }
    app.top_up(4).await;
    for follower in &mut followers {
        let event = follower.expect("ITEM").await;
        let events = event["account"]["events"]["events"].as_array().expect("a list");
        seen.push(events.len());
    }
    assert!(seen[0] > seen[1] && seen[1] > 0, "{seen:?}");
}

/// Returns the named type of a field.
fn named<'a>(ty: &'a Type<'_, String>) -> &'a str {
    match ty {
        Type::NamedType(name) => name,
        Type::ListType(inner) | Type::NonNullType(inner) => named(inner),
    }
}

fn can_be_asked(field: &Field<'_, String>) -> bool {
    let is_optional = |ty: &Type<'_, String>| !matches!(ty, Type::NonNullType(_));
    let mut arguments = field.arguments.iter();
    // Viewers with the same language share fields in the viewer's language: see `languages`.
    let is_in_a_language = field.directives.iter().any(|directive| directive.name == "language");
    !is_marked(field)
        && !is_in_a_language
        && arguments.all(|argument| argument.default_value.is_some() || is_optional(&argument.value_type))
}

/// Returns a selection of a type: its scalar fields, and those of the items of a page.
fn selection(objects: &BTreeMap<&str, Vec<&Field<'_, String>>>, name: &str, depth: usize) -> String {
    let mut selected = vec!["__typename".to_owned()];
    for field in objects
        .get(name)
        .into_iter()
        .flatten()
        .filter(|field| can_be_asked(field))
    {
        let returned = named(&field.field_type);
        if !objects.contains_key(returned) {
            // Interfaces and unions are compared by their type only; a stream position differs in each response.
            if !["Node", "LiveEvent", "LiveCursor"].contains(&returned) {
                selected.push(field.name.clone());
            }
        } else if depth > 0 && ["nodes", "edges", "node"].contains(&field.name.as_str()) {
            selected.push(format!("{} {}", field.name, selection(objects, returned, depth - 1)));
        }
    }
    format!("{{ {} }}", selected.join(" "))
}

#[tokio::test]
async fn a_field_that_depends_on_who_asks_is_marked() {
    let text = schema_text();
    let document = parse_schema::<String>(&text).expect("a schema");
    let objects = objects(&document);
    let app = two_admins().await;
    let mia = app.sign_in(&app.team.member.client).await.actor;
    let rights = [Permission::ReadCreditLog, Permission::ManageSettings];
    let key = app.sign_in(&app.key(&rights).await).await.actor;
    // The callers in a group have equal rights.
    let groups = [
        vec![
            app.sign_in(&app.team.admin.client).await.actor,
            mia.clone(),
            mia.without_identity(),
        ],
        vec![key.clone(), key.without_identity()],
    ];

    // Each type is queried at the first place that leads to it from the account.
    let mut places: VecDeque<(String, String, String)> =
        VecDeque::from([("Account".to_owned(), "{ account ".to_owned(), " }".to_owned())]);
    let mut known: BTreeSet<String> = BTreeSet::from(["Account".to_owned()]);
    let mut complaints = Vec::new();
    let mut asked = 0;
    while let Some((name, before, after)) = places.pop_front() {
        for field in objects
            .get(name.as_str())
            .into_iter()
            .flatten()
            .filter(|field| can_be_asked(field))
        {
            let returned = named(&field.field_type);
            let is_object = objects.contains_key(returned);
            if returned == "LiveCursor" || (!is_object && ["Node", "LiveEvent"].contains(&returned)) {
                continue;
            }
            let inner = if is_object {
                selection(&objects, returned, 2)
            } else {
                String::new()
            };
            let query = format!("{before}{{ {} {inner} }}{after}", field.name);
            for callers in &groups {
                let mut answers = Vec::new();
                for caller in callers {
                    answers.push(app.answer_as(caller.clone(), &query).await);
                }
                if answers.iter().any(|answer| *answer != answers[0]) {
                    complaints.push(format!(
                        "{name}.{} depends on who asks and has no @viewer: {query}\n{answers:?}",
                        field.name
                    ));
                }
            }
            asked += 1;
            if is_object && known.insert(returned.to_owned()) {
                places.push_back((
                    returned.to_owned(),
                    format!("{before}{{ {} ", field.name),
                    format!(" }}{after}"),
                ));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    for name in ["CreditEntry", "Session", "Member", "CreditLot", "Balance", "TopUp"] {
        assert!(known.contains(name), "{name} in {known:?}");
    }
    assert!(asked > 150, "{asked} fields");
}
