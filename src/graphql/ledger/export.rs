//! The link to a file of the credit log.

use async_graphql::{Enum, InputType, SimpleObject};

use super::filter::CreditLogFilter;
use crate::primitives::clock::Timestamp;

/// What kind of file.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Comma-separated values with a line of headings, safe to open in a spreadsheet.
    #[graphql(name = "CSV")]
    Csv,
    /// One JSON object a line.
    #[graphql(name = "JSONL")]
    JsonLines,
}

/// Where a file can be fetched, and until when.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct ExportLink {
    /// Works without further authentication until expiresAt.
    pub url: String,
    /// 15 minutes after it was made.
    pub expires_at: Timestamp,
}

/// The filter as it travels inside a link: in the words of the contract, so that it means the same on the way back.
pub(in crate::graphql) fn filter_to_json(filter: Option<&CreditLogFilter>) -> serde_json::Value {
    filter
        .and_then(|filter| filter.to_value().into_json().ok())
        .unwrap_or_default()
}

/// The filter of a link. `None` where it is none, which a signed link never is.
pub(in crate::graphql) fn filter_from_json(json: serde_json::Value) -> Option<CreditLogFilter> {
    if json.is_null() {
        return Some(CreditLogFilter::default());
    }
    let value = async_graphql::Value::from_json(json).ok()?;
    CreditLogFilter::parse(Some(value)).ok()
}
