//! Links to files of the credit log.

use async_graphql::{Context, Enum, InputType, SimpleObject};

use super::filter::CreditLogFilter;
use crate::graphql::context::scope;
use crate::graphql::errors::{Nullable, nullable};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

/// The format of an export.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Comma-separated values with a header line, safe to open in a spreadsheet. Every text is quoted. An apostrophe precedes
    /// the beginning of a formula, also after a separator or line break within a text. Amounts are plain numbers.
    #[graphql(name = "CSV")]
    Csv,
    /// One JSON object per line.
    #[graphql(name = "JSONL")]
    JsonLines,
}

/// A link to a file, and its expiry.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct ExportLink {
    /// The address of the file. It needs no further authentication until expiresAt.
    pub url: String,
    /// 15 minutes after the link was created.
    pub expires_at: Timestamp,
}

/// Returns a link to the entries that match `filter`.
pub(in crate::graphql) async fn export_link(
    ctx: &Context<'_>,
    account_id: AccountId,
    filter: Option<CreditLogFilter>,
    (format, bom): (ExportFormat, bool),
) -> Nullable<ExportLink> {
    nullable(async {
        let scope = scope(ctx)?;
        // Refuses here what would be refused when the file is fetched.
        let checked = filter.clone().unwrap_or_default().for_account(account_id)?;
        let log = &scope.services.credit_log;
        drop(log.export(scope.actor(), account_id, &checked).await?);
        let link = scope
            .export_links
            .make(scope.actor(), account_id, filter.as_ref(), (format, bom), scope.now());
        Ok(link.map(|(url, expires_at)| ExportLink { url, expires_at }))
    })
    .await
}

/// Converts the filter for a link. It uses the names of the contract, so that it can be parsed again with the same meaning.
pub(in crate::graphql) fn filter_to_json(filter: Option<&CreditLogFilter>) -> serde_json::Value {
    filter
        .and_then(|filter| filter.to_value().into_json().ok())
        .unwrap_or_default()
}

/// Parses the filter of a link. `None` if it is not valid, which never happens in a signed link.
pub(in crate::graphql) fn filter_from_json(json: serde_json::Value) -> Option<CreditLogFilter> {
    if json.is_null() {
        return Some(CreditLogFilter::default());
    }
    let value = async_graphql::Value::from_json(json).ok()?;
    CreditLogFilter::parse(Some(value)).ok()
}
