//! The comparison for a page of the credit log: a bare axum handler with the same statements, and serde. It knows nothing of
//! GraphQL, permissions or limits. It serves the page that `benches/reads/page.mjs` requests, on any free port.

#![allow(clippy::print_stdout, reason = "the script reads the address from there")]

use std::collections::HashMap;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use chrono::{DateTime, SecondsFormat};
use sea_orm::sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sea_orm::sqlx::{self, Row};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Deserialize)]
struct Request {
    variables: Variables,
}

#[derive(Deserialize)]
struct Variables {
    account: String,
    key: String,
    after: Option<i64>,
}

#[derive(Serialize)]
struct Response {
    data: Data,
}

#[derive(Serialize)]
struct Data {
    account: Account,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    credit_log: Connection,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    page_info: PageInfo,
    nodes: Vec<Entry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    end_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    sequence: String,
    occurred_at: String,
    kind: String,
    amount: String,
    balance_after: String,
    description: String,
    actor: Actor,
    member: Option<Member>,
    session: Option<Session>,
}

#[derive(Serialize)]
struct Actor {
    label: String,
}

#[derive(Serialize)]
struct Member {
    name: String,
}

#[derive(Serialize)]
struct Session {
    title: String,
}

const PAGE: &str = "SELECT sequence, id, occurred_at, kind, amount, balance_after, description, actor_key_id, actor_member_id, \
    member_id, session_id FROM credit_entry WHERE account_id = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT 50";

async fn page(State(pool): State<PgPool>, Json(Request { variables }): Json<Request>) -> Json<Response> {
    // A failed request is seen by the script, which compares all responses.
    let nodes = nodes(&pool, &variables).await.unwrap_or_default();
    let end_cursor = nodes.last().map(|entry| entry.sequence.clone());
    let credit_log = Connection {
        page_info: PageInfo { end_cursor },
        nodes,
    };
    Json(Response {
        data: Data {
            account: Account { credit_log },
        },
    })
}

async fn nodes(pool: &PgPool, variables: &Variables) -> Fallible<Vec<Entry>> {
    let (account, key): (i64, Uuid) = (variables.account.parse()?, variables.key.parse()?);
    sqlx::query("SELECT account_id, name, revoked_at FROM api_key WHERE id = $1")
        .bind(key)
        .fetch_one(pool)
        .await?;
    let rows = sqlx::query(PAGE)
        .bind(account)
        .bind(variables.after.unwrap_or(i64::MAX))
        .fetch_all(pool)
        .await?;
    let ids = |columns: &[&str]| -> Vec<Uuid> {
        let all = rows
            .iter()
            .flat_map(|row| columns.iter().map(|name| row.get::<Option<Uuid>, _>(*name)));
        let mut ids: Vec<Uuid> = all.flatten().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let members = "SELECT id, name AS text FROM member WHERE account_id = $1 AND id = ANY($2)";
    let sessions = "SELECT id, title AS text FROM session WHERE account_id = $1 AND id = ANY($2)";
    let keys = "SELECT id, name AS text FROM api_key WHERE $1 > 0 AND id = ANY($2)";
    let (members, sessions, keys) = tokio::try_join!(
        texts(pool, members, account, ids(&["member_id", "actor_member_id"])),
        texts(pool, sessions, account, ids(&["session_id"])),
        texts(pool, keys, account, ids(&["actor_key_id"])),
    )?;
    let text = |texts: &HashMap<Uuid, String>, row: &PgRow, column: &str| {
        row.get::<Option<Uuid>, _>(column)
            .and_then(|id| texts.get(&id).cloned())
    };
    let entry = |row: &PgRow| {
        let actor = text(&keys, row, "actor_key_id").or_else(|| text(&members, row, "actor_member_id"));
        Entry {
            id: row.get::<Uuid, _>("id").to_string(),
            sequence: row.get::<i64, _>("sequence").to_string(),
            occurred_at: instant(row.get("occurred_at")),
            kind: row.get("kind"),
            amount: credits(row.get("amount")),
            balance_after: credits(row.get("balance_after")),
            description: row.get("description"),
            actor: Actor {
                label: actor.unwrap_or_else(|| "Ledgerbell".to_owned()),
            },
            member: text(&members, row, "member_id").map(|name| Member { name }),
            session: text(&sessions, row, "session_id").map(|title| Session { title }),
        }
    };
    Ok(rows.iter().map(entry).collect())
}

async fn texts(
    pool: &PgPool,
    sql: &'static str,
    account: i64,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, String>, sqlx::Error> {
    let rows = sqlx::query(sql).bind(account).bind(ids).fetch_all(pool).await?;
    Ok(rows.iter().map(|row| (row.get("id"), row.get("text"))).collect())
}

fn instant(millis: i64) -> String {
    let instant = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    instant.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Credits are stored as ten-thousandths.
fn credits(units: i64) -> String {
    rust_decimal::Decimal::new(units, 4).normalize().to_string()
}

#[tokio::main]
async fn main() -> Fallible<()> {
    let url = std::env::var("DATABASE_URL")?;
    let pool = PgPoolOptions::new().max_connections(5).connect(&url).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{{\"url\":\"http://{}\"}}", listener.local_addr()?);
    let app = Router::new().route("/graphql", post(page)).with_state(pool);
    Ok(axum::serve(listener, app).await?)
}
