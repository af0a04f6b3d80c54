#![allow(unreachable_pub, reason = "fuzz targets and tests have it as a module")]
// What must hold for any bytes, one function for each target. Fuzz targets call them by libFuzzer, and tests/it/fuzzing.rs by proptest.

use ledgerbell::adapters::gateway::simulated::{SimulatedGateway, WEBHOOK_SECRET};
use ledgerbell::adapters::mailer::SignedReports;
use ledgerbell::adapters::signature::sign;
use ledgerbell::domain::event::LiveCursor;
use ledgerbell::domain::notification::{InvalidReport, ReportSource as _};
use ledgerbell::domain::top_up::gateway::{InvalidWebhook, PaymentGateway as _};
use ledgerbell::http::csv::{Cell, push_row};
use ledgerbell::primitives::clock::{Clock, Timestamp};
use ledgerbell::primitives::cursor::CursorScope;
use ledgerbell::primitives::ids::{AccountId, GlobalId};

/// A target: its name, which is that of its seeds' folder, and its property.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
#[allow(dead_code, reason = "each fuzz target runs one")]
pub const TARGETS: &[Target] = &[
    ("scalars", scalars),
    ("ids", ids),
    ("cursors", cursors),
    ("credentials", credentials),
    ("documents", documents),
    ("webhooks", webhooks),
    ("csv_cells", csv_cells),
];

/// Scalars of the contract.
pub fn scalars(bytes: &[u8]) {
    ledgerbell::graphql::fuzzing::scalars(&String::from_utf8_lossy(bytes));
}

/// One thing has one public id.
pub fn ids(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(id) = text.parse::<GlobalId>() {
        assert_eq!(id.to_string(), text);
    }
}

/// One place has one cursor, of one list or account.
pub fn cursors(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for number in [0, 1, 7] {
        let account_id = AccountId::from_number(number);
        if let Ok(cursor) = LiveCursor::decode(account_id, &text) {
            assert_eq!((cursor.encode(), cursor.account_id), (text.to_string(), account_id));
        }
        let scope = CursorScope::of(&["live", &number.to_string()]);
        if let Ok(position) = scope.decode(&text) {
            assert_eq!(scope.encode(&position), text);
            ledgerbell::graphql::fuzzing::positions(&position);
        }
    }
    ledgerbell::graphql::fuzzing::positions(bytes);
}

/// Tokens and API keys.
pub fn credentials(bytes: &[u8]) {
    ledgerbell::domain::member::fuzzing::credential(&String::from_utf8_lossy(bytes));
}

/// A document, and after a zero byte its variables as JSON.
pub fn documents(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let mut part = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (document, variables) = (part(), part());
    ledgerbell::graphql::fuzzing::document(&document, &variables);
}

/// A body, and after a zero byte a signature. Nothing is believed that was not signed; what was signed is read or refused.
pub fn webhooks(bytes: &[u8]) {
    const SECRET: &str = "0123456789012345678901234567890123456789";
    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let body = parts.next().unwrap_or_default();
    let signature = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let gateway = SimulatedGateway::new(Clock::manual(NOW));
    let reports = SignedReports::new(SECRET);
    assert_eq!(
        gateway.read_webhook(body, &signature, NOW),
        Err(InvalidWebhook::Signature)
    );
    assert_eq!(reports.read(body, &signature, NOW), Err(InvalidReport::Signature));

    let signed = sign(WEBHOOK_SECRET, body, NOW);
    let read = gateway.read_webhook(body, &signed, NOW);
    assert_ne!(read, Err(InvalidWebhook::Signature));
    // A few signatures that are wrong do not hide one that is right.
    if signature.matches(',').count() < 10 {
        assert_eq!(gateway.read_webhook(body, &format!("{signature},{signed}"), NOW), read);
    }
    if let Ok(report) = reports.read(body, &sign(SECRET, body, NOW), NOW) {
        assert!(!report.id.is_empty() && !report.message_id.contains('@'));
    }
}

/// Cells, with zero bytes between. No reader finds a formula, whatever separator it knows; and ours finds the texts.
pub fn csv_cells(bytes: &[u8]) {
    const FORMULAS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
    let texts: Vec<String> = bytes
        .split(|byte| *byte == 0)
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect();
    let mut written = String::new();
    for number in ["7", "8"] {
        let cells = texts.iter().map(|text| Cell::Text(text));
        push_row(
            &mut written,
            [Cell::Number(&number)]
                .into_iter()
                .chain(cells)
                .chain([Cell::Text("ab12")]),
        );
    }
    for separator in [b',', b';', b'\t', b'|'] {
        let mut reader = csv::ReaderBuilder::new();
        reader.delimiter(separator).has_headers(false).flexible(true);
        let mut reader = reader.from_reader(written.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("is read")).collect();
        for cell in rows.iter().flatten() {
            assert!(
                !cell.starts_with(FORMULAS),
                "{cell:?} at {:?} of {written:?}",
                char::from(separator)
            );
        }
        if separator == b',' {
            assert_eq!(rows.len(), 2, "{written:?}");
            for row in &rows {
                assert_eq!(row.len(), texts.len() + 2, "{written:?}");
                for (cell, text) in row.iter().skip(1).zip(&texts) {
                    let plain = |text: &str| text.replace('\'', "");
                    assert_eq!(plain(cell), plain(text), "only apostrophes are added");
                }
            }
        }
    }
}
