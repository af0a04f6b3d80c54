//! Subscriptions at the schema: what is sent, to which subscriber, in which order, and how often it is produced.

mod alerts;
mod bells;
mod cursors;
mod delivery;
mod filters;
mod paying;
mod rights;
mod sharing;
mod top_ups;
mod viewers;

use futures_util::future::join_all;
use ledgerbell::domain::ledger::model::{Command, LotKind};
use ledgerbell::domain::member::MemberPatch;
use ledgerbell::primitives::actor::{Actor, MemberRole};
use ledgerbell::primitives::credits::Credits;
use serde_json::{Value, json};

use crate::harness::{Subscriber, Team, TestApp, with};

/// New entries.
const ENTRIES: &str = "subscription($after: LiveCursor, $filter: CreditLogFilter) {
    creditEntryPosted(after: $after, filter: $filter) {
        cursor signal replayed entry { id sequence amount } balance { posted version } } }";
/// Changes of the balance.
const BALANCE: &str = "subscription($accountId: ID, $after: LiveCursor) {
    balanceChanged(accountId: $accountId, after: $after) {
        cursor signal replayed balance { version posted held } account { name } } }";
/// Changes of sessions.
const SESSIONS: &str = "subscription($sessionId: ID, $after: LiveCursor) {
    sessionUpdated(sessionId: $sessionId, after: $after) {
        cursor signal replayed status session { id status member { name } } } }";
/// All changes of an account.
const ACCOUNT: &str = "subscription($topics: [LiveTopic!], $after: LiveCursor) {
    accountUpdated(topics: $topics, after: $after) {
        cursor signal replayed account { name status liveCursor } entries { sequence } sessions { id status }
        topUps { id } } }";

/// Makes this number of grants of one credit to a team, many at once.
async fn grant(app: &TestApp, team: &Team, label: &str, count: usize) {
    let grants = (0..count).map(|number| {
        let command = Command::Grant {
            credits: Credits::whole(1),
            description: format!("{label} {number}"),
            kind: LotKind::Promotional,
            expires_at: None,
            priority: 0,
        };
        let key = format!("{label}-{number}");
        app.services()
            .ledger
            .post(&Actor::System, team.account.id, None, key, command)
    });
    for granted in join_all(grants).await {
        granted.expect("granted");
    }
}

/// Books a session for a member of the team; returns its id.
async fn book(app: &TestApp, member_id: &str, key: &str) -> String {
    let named = json!({ "memberId": member_id, "title": format!("Lesson {key}") });
    app.book(with(app.booking("1", key, 60..120), named)).await
}

async fn complete(app: &TestApp, session_id: &str) {
    let input = json!({ "sessionId": session_id, "idempotencyKey": format!("{session_id} is done") });
    app.platform.accept("complete_session", input).await;
}

/// Returns the sequences of the next entries; no other messages may come between.
async fn sequences(subscriber: &mut Subscriber, count: usize) -> Vec<i64> {
    let mut sequences = Vec::with_capacity(count);
    for _ in 0..count {
        sequences.push(sequence(&subscriber.expect("ITEM").await["entry"]));
    }
    sequences
}

fn sequence(entry: &Value) -> i64 {
    entry["sequence"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a sequence")
}

/// Makes the plain member of the team a second admin.
async fn promote_member(app: &TestApp) {
    let patch = MemberPatch {
        role: Some(MemberRole::Admin),
        ..MemberPatch::default()
    };
    let (team, members) = (&app.team, &app.services().members);
    let promoted = members.update(&Actor::System, team.account.id, team.member.member.id, patch);
    promoted.await.expect("promoted");
}
