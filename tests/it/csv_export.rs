//! The credit log as CSV, as spreadsheets of different countries read it.

use serde_json::{Value, json};

use crate::harness::{Client, TestApp, with};

/// Downloads the file behind a new link with these arguments.
async fn file(app: &TestApp, client: &Client, arguments: &str) -> String {
    let query = format!("{{ account {{ creditLogExport{arguments} {{ url }} }} }}");
    let answer = client.query(&query, json!({})).await;
    let url = answer.at("/account/creditLogExport/url").as_str().expect("a link");
    let response = app.anonymous().get(url).send().await.expect("a response");
    assert!(response.status().is_success());
    let bytes = response.bytes().await.expect("a body");
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Returns all cells that a reader with this separator finds.
fn read(csv: &str, separator: u8) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(csv.as_bytes());
    let rows = reader
        .records()
        .map(|row| row.expect("a row").iter().map(str::to_owned).collect());
    rows.collect()
}

const LEADS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// Books and completes a session with this title, for 2.25 credits.
async fn session(app: &TestApp, key: &str, title: &str) {
    let booking = app.booking("2.25", key, 60..90);
    let session = app.book(with(booking, json!({ "title": title }))).await;
    let input = json!({ "sessionId": session, "idempotencyKey": format!("{key} done") });
    app.platform.apply("completeSession", "", input).await;
}

#[tokio::test]
async fn no_list_separator_makes_a_formula_of_a_title() {
    let app = TestApp::start().await;
    app.top_up(300).await;
    let titles = [
        "Pilates;=2*3;y",
        "Spinning, +SUM(B1:B9)",
        "Rowing;\"=SUM(\"\"B2\"\")\"",
        "＝2*3",
        "Judo; ＠A1",
        "-7 degrees swim",
        "Chess|@A1",
    ];
    for (at, title) in titles.iter().enumerate() {
        session(&app, &format!("s{at}"), title).await;
    }
    let csv = file(&app, &app.team.owner.client, "").await;
    let rows = read(csv.trim_start_matches('\u{feff}'), b',');
    let column = |name: &str| rows[0].iter().position(|heading| heading == name).expect("a column");
    assert_eq!(rows.len(), 2 + titles.len());
    let found: Vec<&str> = rows[2..].iter().map(|row| row[column("session")].as_str()).collect();
    assert_eq!(
        found,
        [
            "Pilates;'=2*3;y",
            "Spinning, '+SUM(B1:B9)",
            "Rowing;\"'=SUM(\"\"B2\"\")\"",
            "'＝2*3",
            "Judo; '＠A1",
            "'-7 degrees swim",
            "Chess|'@A1",
        ]
    );
    for row in &rows[2..] {
        assert_eq!(row[column("amount")], "-2.25", "a number stays one");
        for (at, cell) in row.iter().enumerate().filter(|(at, _)| *at != column("amount")) {
            assert!(!cell.starts_with(LEADS), "{}: {cell}", rows[0][at]);
        }
    }
    for separator in [b';', b'\t'] {
        for cell in read(&csv, separator).iter().flatten() {
            assert!(!cell.starts_with(LEADS), "{cell:?} at {:?}", char::from(separator));
        }
    }
}

#[tokio::test]
async fn a_file_says_that_it_is_utf_8_unless_that_is_not_wanted() {
    let app = TestApp::start().await;
    app.top_up(40).await;
    session(&app, "one", "Séance à Zürich").await;
    let owner = &app.team.owner.client;
    for arguments in ["", "(bom: true)", "(bom: null)", "(format: CSV)"] {
        let csv = file(&app, owner, arguments).await;
        assert!(
            csv.starts_with("\u{feff}sequence,") && csv.contains("\"Séance à Zürich\""),
            "{arguments}: {csv}"
        );
        assert_eq!(csv.matches('\u{feff}').count(), 1);
    }
    assert!(file(&app, owner, "(bom: false)").await.starts_with("sequence,"));
    assert!(file(&app, owner, "(format: JSONL, bom: true)").await.starts_with('{'));
}

#[tokio::test]
async fn each_entry_has_the_time_of_the_wall_clock_of_its_team() {
    let app = TestApp::start().await;
    let input = json!({ "accountId": app.team.id(), "timezone": "Asia/Kathmandu" });
    let updated = app
        .platform
        .mutate("updateAccount", "account { timezone }", input)
        .await;
    assert_eq!(updated["account"]["timezone"], "Asia/Kathmandu", "{updated}");
    app.top_up(60).await;
    let csv = file(&app, &app.team.owner.client, "(bom: false)").await;
    let rows = read(&csv, b',');
    // Tests begin at 09:00 UTC; Nepal is 5 hours and 45 minutes ahead.
    assert_eq!(
        (&*rows[1][2], &*rows[1][3], &*rows[1][4]),
        ("2026-03-02T09:00:00.000Z", "2026-03-02 14:45:00", "Asia/Kathmandu")
    );
    let lines = file(&app, &app.team.owner.client, "(format: JSONL)").await;
    let entry: Value = serde_json::from_str(lines.trim_end()).expect("one line of JSON");
    assert_eq!(
        (&entry["localTime"], &entry["timeZone"]),
        (&json!("2026-03-02 14:45:00"), &json!("Asia/Kathmandu"))
    );
}
