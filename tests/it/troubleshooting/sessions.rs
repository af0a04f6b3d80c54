//! Deductions that do not show.

use std::time::Duration;

use serde_json::json;

use super::{a_person_must_choose, all_is_well, book, complete, healthy, proved_by, says, send, the_finding};
use crate::top_ups::Buyer;

#[tokio::test]
async fn sessions_processing_says_how_many_how_much_and_by_when() {
    let app = healthy().await;
    let (first, second) = (book(&app, "10").await, book(&app, "2.5").await);
    app.advance(Duration::from_hours(1));
    all_is_well(&app).await;
    app.advance(Duration::from_mins(2));
    let finding = the_finding(&app, "SESSIONS_PROCESSING").await;
    assert_eq!(
        (&finding["symptom"], &finding["severity"], &finding["since"]),
        (
            &json!("DEDUCTION_NOT_SHOWING"),
            &json!("INFO"),
            &json!("2026-03-02T10:01:00.000Z")
        )
    );
    says(&finding, &["2 sessions", "12.5 credits", "2 March 2026, 10:16"]);
    assert_eq!(proved_by(&finding), ["Session", "Session"]);
    a_person_must_choose(&finding, "WAIT");
    complete(&app, &first).await;
    says(
        &the_finding(&app, "SESSIONS_PROCESSING").await,
        &["1 session is", "2.5 credits"],
    );
    complete(&app, &second).await;
    all_is_well(&app).await;
}

#[tokio::test]
async fn sessions_overdue_are_completed_by_the_remedy_once() {
    let app = healthy().await;
    let sessions = [book(&app, "10").await, book(&app, "2.5").await];
    app.advance(Duration::from_mins(61 + 16));
    let finding = the_finding(&app, "SESSIONS_OVERDUE").await;
    assert_eq!(
        (&finding["severity"], &finding["since"]),
        (&json!("WARNING"), &json!("2026-03-02T10:16:00.000Z"))
    );
    says(
        &finding,
        &["2 sessions are over", "12.5 credits", "2 March 2026, 10:01"],
    );
    // Only the platform completes sessions, so the team is asked to contact it.
    a_person_must_choose(&finding, "CONTACT_SUPPORT");
    let id = json!({ "id": app.team.id() });
    let query =
        "query ($id: ID) { account(id: $id) { troubleshooting { remedy { action mutation variables help } } } }";
    let found = app.platform.query(query, id).await;
    let finding = found.at("/account/troubleshooting/0").clone();
    let items = finding["remedy"]["variables"]["input"]["items"]
        .as_array()
        .expect("a list");
    assert_eq!(items.len(), sessions.len());
    for _ in 0..2 {
        let payload = send(&app.platform, &finding).await;
        for result in payload["results"].as_array().expect("a list") {
            assert_eq!(result["userErrors"], json!([]));
        }
        all_is_well(&app).await;
    }
    let balance = Buyer::of(&app).balance().await;
    assert_eq!((&balance["posted"], &balance["held"]), (&json!("87.5"), &json!("0")));
}
