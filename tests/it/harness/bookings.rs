//! Bookings of sessions.

use std::ops::Range;

use serde_json::{Value, json};

use super::TestApp;

impl TestApp {
    /// Returns the input of `bookSession` for the team's member. The session lasts these minutes from now.
    pub(crate) fn booking(&self, credits: &str, key: &str, minutes: Range<i64>) -> Value {
        let Range { start, end } = minutes;
        json!({
            "accountId": self.team.id(),
            "memberId": self.team.member.id(),
            "title": "Lesson",
            "startsAt": self.in_minutes(start),
            "endsAt": self.in_minutes(end),
            "credits": credits,
            "idempotencyKey": key,
        })
    }

    /// Books a session with this input. Returns its id.
    pub(crate) async fn book(&self, booking: Value) -> String {
        let booked = self.platform.apply("bookSession", "session { id }", booking).await;
        booked["session"]["id"].as_str().expect("an id").to_owned()
    }
}

/// Returns the input with these fields, changed or added.
pub(crate) fn with(mut input: Value, changes: Value) -> Value {
    if let (Value::Object(input), Value::Object(changes)) = (&mut input, changes) {
        input.extend(changes);
    }
    input
}
