//! Searches find what readers consider equal, also in texts of older versions.

use ledgerbell::adapters::database::{OpenOptions, migrate, open, roll_back};
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};

use crate::harness::{TestApp, elsewhere};

async fn grant(app: &TestApp, description: &str) {
    let input = json!({ "accountId": app.team.id(), "credits": "1", "description": description, "idempotencyKey": description });
    let granted = app.platform.mutate("grantCredits", "", input).await;
    assert_eq!(granted["userErrors"], json!([]));
}

async fn found(app: &TestApp, search: &str) -> Vec<String> {
    let query = "query($search: String) { account { creditLog(filter: { search: $search }, order: OLDEST_FIRST) \
        { nodes { description } } } }";
    let answer = app.team.admin.client.query(query, json!({ "search": search })).await;
    let nodes = answer
        .at("/account/creditLog/nodes")
        .as_array()
        .expect("a list")
        .clone();
    let text = |node: &Value| node["description"].as_str().expect("a text").to_owned();
    nodes.iter().map(text).collect()
}

#[tokio::test]
async fn what_readers_take_for_the_same_is_found() {
    let app = TestApp::start().await;
    let all = [
        "Re\u{301}union Dijon",
        "Straße 12",
        "ΛΟΓΟΣ",
        "ﬂöte",
        "浅草寺ツアー",
        "ISPARTA",
        "C++ l",
    ];
    for description in all {
        grant(&app, description).await;
    }
    for (search, expected) in [
        ("r\u{e9}union", 0),
        ("STRASSE", 1),
        ("λογος", 2),
        ("flö", 3),
        ("草寺", 4),
        ("ツアー", 4),
        ("ısparta", 5),
        ("c++", 6),
        ("c l", 6),
    ] {
        assert_eq!(found(&app, search).await, [all[expected]], "{search}");
    }
    assert_eq!(found(&app, "%").await.len(), all.len(), "nothing is asked for");
    app.finish().await;
}

#[tokio::test]
async fn members_are_found_however_their_names_are_composed() {
    let app = TestApp::start().await;
    let input = json!({ "accountId": app.team.id(), "name": "Jose\u{301} Weiß", "role": "MEMBER" });
    app.platform.apply("addMember", "", input).await;
    let query = "query($search: String) { account { members(search: $search) { nodes { name } } } }";
    for search in ["jos\u{e9}", "WEISS", "j w"] {
        let answer = app.team.admin.client.query(query, json!({ "search": search })).await;
        assert_eq!(
            answer.at("/account/members/nodes/0/name"),
            &json!("Jose\u{301} Weiß"),
            "{search}"
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn text_from_before_is_brought_into_the_present_form() {
    let app = TestApp::start().await;
    grant(&app, "Re\u{301}union").await;
    grant(&app, "Plain").await;
    let url = app.database_url().to_owned();
    let done = elsewhere(async move {
        let connection = Database::connect(&url).await.expect("the database opens");
        for sql in [
            "UPDATE credit_entry SET search_text = ' reunion' WHERE description <> 'Plain'",
            "UPDATE installation SET search_form = 1",
        ] {
            connection.execute_unprepared(sql).await.expect("changed");
        }
        connection.close().await.expect("the database closes");
    });
    done.expect("changed");
    assert_eq!(found(&app, "r\u{e9}union").await, Vec::<String>::new());
    // Text is rewritten when the schema is upgraded, by whatever migration.
    let database = open(app.database_url(), OpenOptions::default()).await.expect("opens");
    roll_back(&database, Some(1)).await.expect("rolls back");
    migrate(&database).await.expect("migrates");
    database.close().await.expect("closes");
    assert_eq!(found(&app, "r\u{e9}union").await, ["Re\u{301}union"]);
    assert_eq!(
        found(&app, "reunion").await,
        ["Re\u{301}union"],
        "as it was found before"
    );
    assert_eq!(found(&app, "plain").await, ["Plain"]);
}
