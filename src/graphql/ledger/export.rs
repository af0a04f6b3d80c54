//! The link to a file of the credit log.

use async_graphql::{Context, Enum, InputType, SimpleObject};

use super::filter::CreditLogFilter;
use crate::graphql::context::scope;
use crate::graphql::errors::{ApiError, nullable};
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;

/// What kind of file.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Comma-separated values with a line of headings, safe to open in a spreadsheet: every text is quoted, and an apostrophe comes
    /// before what would begin a formula, also after a separator or line break within a text. Amounts are plain numbers.
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

/// A link to the entries that `filter` means.
pub(in crate::graphql) async fn export_link(
    ctx: &Context<'_>,
    account_id: AccountId,
    filter: Option<CreditLogFilter>,
    (format, bom): (ExportFormat, bool),
) -> Option<Result<ExportLink, ApiError>> {
    nullable(async {
        let scope = scope(ctx)?;
        // Refused here what would be refused when the file is fetched.
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
