//! Serves the credit log as a file, behind a signed link.
//!
//! The file is produced during the download, a thousand entries at a time. So memory use does not depend on its size.

use std::fmt::{self, Display};
use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{NaiveDateTime, Timelike as _};
use chrono_tz::Tz;
use data_encoding::HEXLOWER;
use futures_util::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize, Serializer};

use super::allowance::Payer;
use super::csv::{Cell, push_row};
use super::export_bounds::Download;
use super::export_names::Names;
use super::{HttpState, SharedHttpState};
use crate::domain::fault::{Fault, QueryError};
use crate::domain::ledger::credit_log::ExportRow;
use crate::graphql::{EXPORTED_ENTRY, ExportOrder, Requester};
use crate::primitives::actor::Actor;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, GlobalId};

/// The cost of a download, without its entries.
const DOWNLOAD: u64 = 20;

#[derive(Deserialize)]
pub(super) struct Parameters {
    token: String,
}

pub(super) async fn credit_log(
    State(state): State<SharedHttpState>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    Query(parameters): Query<Parameters>,
) -> Response {
    let Ok(order) = state.export_links.open(&parameters.token, state.services.clock.now()) else {
        if state.charge_guess(remote.ip(), 0).is_err() {
            return busy(
                "Too many invalid links were requested from this address. Try again later.\n",
                1,
            );
        }
        return refused(
            StatusCode::FORBIDDEN,
            "This link is invalid or has expired. Request a new one.\n",
        );
    };
    match file(&state, order).await {
        Ok(response) => response,
        Err(QueryError::Fault(fault)) => {
            tracing::error!(%fault, "an export could not begin");
            refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "The service is not available at the moment.\n",
            )
        }
        Err(_) => no_longer(),
    }
}

fn refused(status: StatusCode, text: &'static str) -> Response {
    (status, text).into_response()
}

fn busy(text: &'static str, seconds: u64) -> Response {
    let retry_after = [(header::RETRY_AFTER, seconds.to_string())];
    (StatusCode::TOO_MANY_REQUESTS, retry_after, text).into_response()
}

fn no_longer() -> Response {
    refused(
        StatusCode::FORBIDDEN,
        "You no longer have permission to download this.\n",
    )
}

/// Returns the actor that requested the link, with its current rights. Returns `None` if the actor may no longer
/// sign in.
async fn actor(state: &HttpState, account_id: AccountId, requester: Requester) -> Result<Option<Actor>, QueryError> {
    if let Some(member_id) = requester.member_id() {
        let members = &state.services.members;
        let member = members.find(&Actor::System, account_id, member_id).await?;
        let member = member.filter(|member| member.removed_at.is_none());
        return Ok(member.map(|member| Actor::Member {
            account_id,
            member_id,
            role: member.role,
        }));
    }
    let Some((owner, api_key_id)) = requester.api_key() else {
        return Ok(None);
    };
    let api_key = state.services.api_keys.find(&Actor::System, owner, api_key_id).await?;
    let now = state.services.clock.now();
    let api_key = api_key.filter(|api_key| api_key.is_active(now));
    Ok(api_key.map(|api_key| api_key.actor()))
}

/// Starts a download. There must be a free slot, the requester of the link pays, and the link must have a use left. Otherwise
/// returns the response with the reason.
async fn begin(
    state: &HttpState,
    order: &ExportOrder,
    payer: Option<&Payer>,
) -> Result<Result<Download, Response>, QueryError> {
    let Some(download) = state.exports.open(order.account_id) else {
        let text = "The maximum number of downloads of this account's log is running. Wait for one to end.\n";
        return Ok(Err(busy(text, 5)));
    };
    if let Some(Err(wait)) = payer.map(|payer| state.allowances.charge(payer, DOWNLOAD)) {
        return Ok(Err(busy(
            "The caller who requested this link has exceeded the rate limit. Try again later.\n",
            wait.as_secs() + 1,
        )));
    }
    let (link, uses) = ((order.link_id, order.expires_at), state.settings.exports.uses);
    if !state.services.ledger.use_export_link(link, uses).await? {
        return Ok(Err(refused(
            StatusCode::FORBIDDEN,
            "This link was used the maximum number of times. Request a new one.\n",
        )));
    }
    Ok(Ok(download))
}

async fn file(state: &SharedHttpState, order: ExportOrder) -> Result<Response, QueryError> {
    let Some(actor) = actor(state, order.account_id, order.requester).await? else {
        return Ok(no_longer());
    };
    let payer = Payer::of_actor(&actor);
    let download = match begin(state, &order, payer.as_ref()).await? {
        Ok(download) => download,
        Err(refused) => return Ok(refused),
    };
    let known = state
        .services
        .accounts
        .find_known(&Actor::System, order.account_id)
        .await?;
    let log = state
        .services
        .credit_log
        .up_to(known.as_ref().map(|known| known.log_end));
    let chunks = log.export(&actor, order.account_id, &order.filter).await?;
    let format = if order.json_lines {
        Format::JsonLines
    } else {
        Format::Csv {
            has_mark: order.has_byte_order_mark,
        }
    };
    let writer = Writer {
        state: state.clone(),
        actor,
        account_id: order.account_id,
        zone: known.map_or(Tz::UTC, |known| known.account.timezone),
        format,
        names: Names::default(),
        download,
        payer,
    };
    let head = stream::iter(format.head().map(Ok));
    let chunks = Box::pin(chunks.fuse());
    let body = stream::try_unfold(
        (chunks, None, writer),
        |(mut chunks, mut next, mut writer)| async move {
            let piece = writer.piece(&mut chunks, &mut next).await;
            // The status was sent before. Only an early end of the connection can still notify the client.
            let piece = piece.inspect_err(|fault| tracing::error!(%fault, "an export was interrupted"))?;
            Ok::<_, Fault>(piece.map(|piece| (piece, (chunks, next, writer))))
        },
    );
    let mut response = Response::new(Body::from_stream(head.chain(body)));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, format.content_type()),
        (header::CONTENT_DISPOSITION, format.disposition()),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv {
        /// Whether the file starts with a byte-order mark, by which Excel detects UTF-8.
        has_mark: bool,
    },
    JsonLines,
}

impl Format {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Csv { .. } => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/jsonl; charset=utf-8",
        }
    }

    const fn disposition(self) -> &'static str {
        match self {
            Self::Csv { .. } => "attachment; filename=\"credit-log.csv\"",
            Self::JsonLines => "attachment; filename=\"credit-log.jsonl\"",
        }
    }

    /// Returns the part of the file before the first entry.
    fn head(self) -> Option<Bytes> {
        match self {
            Self::Csv { has_mark } => {
                let mark = if has_mark { "\u{feff}" } else { "" };
                Some(Bytes::from(format!("{mark}{}\r\n", COLUMNS.join(","))))
            }
            Self::JsonLines => None,
        }
    }
}

/// The last column must not contain text of users: a cell that starts within it would continue in the next
/// line.
const COLUMNS: [&str; 19] = [
    "sequence",
    "id",
    "occurredAt",
    "localTime",
    "timeZone",
    "kind",
    "amount",
    "balanceAfter",
    "description",
    "actorKind",
    "actor",
    "memberId",
    "member",
    "sessionId",
    "session",
    "sessionExternalId",
    "topUpId",
    "reversesEntryId",
    "hash",
];

/// One entry in a file. Amounts are strings in JSON too, because JSON readers round numbers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    sequence: Shown<i64>,
    id: Shown<GlobalId>,
    occurred_at: Shown<Timestamp>,
    local_time: Shown<SheetTime>,
    time_zone: &'static str,
    kind: &'static str,
    amount: Shown<Credits>,
    balance_after: Shown<Credits>,
    description: &'a str,
    actor_kind: &'static str,
    actor: &'a str,
    member_id: Option<Shown<GlobalId>>,
    member: Option<&'a str>,
    session_id: Option<Shown<GlobalId>>,
    session: Option<&'a str>,
    session_external_id: Option<&'a str>,
    top_up_id: Option<Shown<GlobalId>>,
    reverses_entry_id: Option<Shown<GlobalId>>,
    hash: Shown<HashText<'a>>,
}

/// A value whose text is written into the file without one in between.
#[derive(Clone, Copy)]
struct Shown<T>(T);

impl<T: Display> Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A local time in a format that spreadsheets read.
struct SheetTime(NaiveDateTime);

impl Display for SheetTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.0.date(), self.0.time());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        write!(f, "{date} {hour:02}:{minute:02}:{second:02}")
    }
}

/// A hash in hexadecimal digits.
struct HashText<'a>(&'a [u8]);

impl Display for HashText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HEXLOWER.encode_display(self.0).fmt(f)
    }
}

impl Line<'_> {
    fn cells(&self) -> [Cell<'_>; COLUMNS.len()] {
        fn id(id: Option<&Shown<GlobalId>>) -> Cell<'_> {
            id.map_or(Cell::Text(""), |id| Cell::Plain(id))
        }
        fn text(text: Option<&str>) -> Cell<'_> {
            Cell::Text(text.unwrap_or_default())
        }
        [
            Cell::Number(&self.sequence),
            Cell::Plain(&self.id),
            Cell::Plain(&self.occurred_at),
            Cell::Plain(&self.local_time),
            Cell::Plain(&self.time_zone),
            Cell::Plain(&self.kind),
            Cell::Number(&self.amount),
            Cell::Number(&self.balance_after),
            Cell::Text(self.description),
            Cell::Plain(&self.actor_kind),
            Cell::Text(self.actor),
            id(self.member_id.as_ref()),
            text(self.member),
            id(self.session_id.as_ref()),
            text(self.session),
            text(self.session_external_id),
            id(self.top_up_id.as_ref()),
            id(self.reverses_entry_id.as_ref()),
            Cell::Plain(&self.hash),
        ]
    }
}

type Chunk = Result<Vec<ExportRow>, Fault>;

/// Converts chunks of rows to pieces of a file.
struct Writer {
    state: SharedHttpState,
    actor: Actor,
    account_id: AccountId,
    zone: Tz,
    format: Format,
    names: Names,
    download: Download,
    /// The requester of the link, who pays.
    payer: Option<Payer>,
}

impl Writer {
    /// Returns the next piece of the file; `None` at its end. Downloads produce their pieces in turn, and each piece is paid
    /// for. When the requester's allowance is used up, the download becomes slower. `next` is the chunk that was read while the last
    /// piece was written.
    async fn piece(
        &mut self,
        chunks: &mut (impl Stream<Item = Chunk> + Unpin),
        next: &mut Option<Chunk>,
    ) -> Result<Option<Bytes>, Fault> {
        let turn = self.download.turn().await;
        let chunk = match next.take() {
            Some(chunk) => Some(chunk),
            None => chunks.next().await,
        };
        let Some(rows) = chunk.transpose()? else {
            return Ok(None);
        };
        let cost = EXPORTED_ENTRY.saturating_mul(rows.len() as u64);
        let written;
        // The database reads while this piece is written, so it is asked first.
        (*next, written) = tokio::join!(biased; chunks.next(), self.write(rows));
        let written = written?;
        drop(turn);
        self.pay(cost).await;
        Ok(Some(written))
    }

    async fn pay(&self, cost: u64) {
        let Some(payer) = &self.payer else { return };
        let clock = &self.state.services.clock;
        // At most the cost limit of one operation at once: every allowance holds that much.
        let at_once = self.state.schema.budget().max(1);
        let mut left = cost;
        while left > 0 {
            let part = left.min(at_once);
            match self.state.allowances.charge(payer, part) {
                Ok(_) => left -= part,
                Err(wait) => clock.alarm(clock.elapsed() + wait).await,
            }
        }
    }

    async fn write(&mut self, rows: Vec<ExportRow>) -> Result<Bytes, Fault> {
        let services = &self.state.services;
        let reader = (&self.actor, self.account_id);
        self.names.learn(services, reader, &rows).await?;
        let lines = rows
            .iter()
            .map(|row| Line::of((self.account_id, self.zone), row, &self.names));
        let written = match self.format {
            Format::Csv { .. } => Ok(csv_of(lines)),
            Format::JsonLines => json_of(lines),
        };
        written.map_err(|error| Fault::Internal(format!("an export could not be written: {error}")))
    }
}

impl<'a> Line<'a> {
    fn of((account_id, zone): (AccountId, Tz), row: &'a ExportRow, names: &'a Names) -> Self {
        let entry = &row.entry;
        Self {
            sequence: Shown(entry.sequence),
            id: Shown(entry.id.global(account_id)),
            occurred_at: Shown(entry.occurred_at),
            local_time: Shown(SheetTime(
                entry.occurred_at.to_datetime().with_timezone(&zone).naive_local(),
            )),
            time_zone: zone.name(),
            kind: entry.kind.as_str(),
            amount: Shown(entry.amount),
            balance_after: Shown(entry.balance_after),
            description: &entry.description,
            actor_kind: entry.cause.columns().0,
            actor: names.actor(entry.cause).unwrap_or_default(),
            member_id: entry.member_id.map(|id| Shown(id.global(account_id))),
            member: entry.member_id.and_then(|id| names.member(id)),
            session_id: entry.session_id.map(|id| Shown(id.global(account_id))),
            session: row.session_title.as_deref(),
            session_external_id: row.session_external_id.as_deref(),
            top_up_id: entry.top_up_id.map(|id| Shown(id.global(account_id))),
            reverses_entry_id: entry.reverses.map(|id| Shown(id.global(account_id))),
            hash: Shown(HashText(&entry.hash)),
        }
    }
}

fn csv_of<'a>(lines: impl Iterator<Item = Line<'a>>) -> Bytes {
    let mut csv = String::new();
    for line in lines {
        push_row(&mut csv, line.cells());
    }
    csv.into()
}

fn json_of<'a>(lines: impl Iterator<Item = Line<'a>>) -> std::io::Result<Bytes> {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, &line)?;
        bytes.push(b'\n');
    }
    Ok(Bytes::from(bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn headings_are_the_names_in_json() {
        let id = || Some(Shown(GlobalId::account(AccountId::from_number(7))));
        let at = Timestamp::from_millis(1_790_000_000_123);
        let line = Line {
            sequence: Shown(7),
            id: Shown(GlobalId::account(AccountId::from_number(7))),
            occurred_at: Shown(at),
            local_time: Shown(SheetTime(at.to_datetime().naive_utc())),
            time_zone: "UTC",
            kind: "SESSION",
            amount: Shown(Credits::ZERO),
            balance_after: Shown(Credits::ZERO),
            description: "Yoga",
            actor_kind: "MEMBER",
            actor: "Ada",
            member_id: id(),
            member: Some("Ada"),
            session_id: id(),
            session: Some("Yoga"),
            session_external_id: Some("e-7"),
            top_up_id: id(),
            reverses_entry_id: id(),
            hash: Shown(HashText(&[0xab, 7])),
        };
        let json: HashMap<String, serde_json::Value> =
            serde_json::from_str(&serde_json::to_string(&line).expect("JSON")).expect("an object");
        assert_eq!(json.len(), COLUMNS.len());
        for column in COLUMNS {
            assert!(json.contains_key(column), "{column}");
        }
        assert_eq!(json["localTime"], "2026-09-21 14:13:20");
        assert_eq!(json["hash"], "ab07");
    }
}
