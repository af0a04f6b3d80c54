//! The types that answers have, and which of them a client takes.

use axum::http::{HeaderMap, header};

/// How an answer is labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/graphql-response+json`: the status says how it went.
    GraphqlResponse,
    /// `application/json`, asked for by name: old clients take any status but 200 for a broken server.
    LegacyJson,
    /// `application/json`, for clients that did not say.
    Json,
}

impl Media {
    /// The first type in `Accept` that we have. `None` when there is none.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let accepts: Vec<&str> = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|range| range.split(';').next().unwrap_or_default().trim())
            .filter(|range| !range.is_empty())
            .collect();
        if accepts.is_empty() {
            return Some(Self::Json);
        }
        accepts
            .iter()
            .find_map(|range| match range.to_ascii_lowercase().as_str() {
                "application/graphql-response+json" => Some(Self::GraphqlResponse),
                "application/json" => Some(Self::LegacyJson),
                "*/*" | "application/*" => Some(Self::Json),
                _ => None,
            })
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::LegacyJson | Self::Json => "application/json; charset=utf-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn answers_have_the_first_type_that_is_accepted() {
        let accepted = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(text));
            Media::accepted(&headers)
        };
        assert_eq!(Media::accepted(&HeaderMap::new()), Some(Media::Json));
        assert_eq!(accepted("*/*"), Some(Media::Json));
        assert_eq!(accepted("application/json"), Some(Media::LegacyJson));
        assert_eq!(
            accepted("application/graphql-response+json, application/json;q=0.9"),
            Some(Media::GraphqlResponse)
        );
        assert_eq!(accepted("text/html"), None);
    }
}
