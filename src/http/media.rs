//! The types of responses, and which of them a client accepts.

use axum::http::{HeaderMap, HeaderName, header};

/// The content type of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/graphql-response+json`: the status contains the result.
    GraphqlResponse,
    /// `application/json`, requested by name. Old clients take any status but 200 for a failed server.
    LegacyJson,
    /// `application/json`, for clients that state no preference.
    Json,
}

impl Media {
    /// Returns the supported type that the client prefers; the first of several equal ones. `None` if the client accepts none.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let ranges = Range::all(headers, &header::ACCEPT);
        if ranges.is_empty() {
            return Some(Self::Json);
        }
        let refuses_json = ranges
            .iter()
            .any(|range| range.name == "application/json" && range.quality == 0);
        best(&ranges, |name| match name {
            "application/graphql-response+json" => Some(Self::GraphqlResponse),
            "application/json" => Some(Self::LegacyJson),
            "*/*" | "application/*" if refuses_json => Some(Self::GraphqlResponse),
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

/// A range of types or of languages that a client accepts.
pub(super) struct Range {
    /// The name in lower case.
    pub(super) name: String,
    /// The preference in thousandths. A range with 0 is not accepted.
    pub(super) quality: u16,
}

impl Range {
    /// Returns the ranges that a header lists, in their order.
    pub(super) fn all(headers: &HeaderMap, name: &HeaderName) -> Vec<Self> {
        let accepts = headers.get_all(name).iter();
        let ranges = accepts
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        ranges.filter_map(Self::read).collect()
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
        let quality = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("q")
                .then(|| value.trim().parse::<f64>().ok())
                .flatten()
        });
        Some(Self {
            name,
            quality: thousandths(quality.unwrap_or(1.0)),
        })
    }
}

fn thousandths(quality: f64) -> u16 {
    (0..1000)
        .find(|step| f64::from(*step) / 1000.0 >= quality)
        .unwrap_or(1000)
}

/// Returns what `choose` selects for the most preferred range; the first of several equal ones.
pub(super) fn best<T>(ranges: &[Range], choose: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut best: Option<(u16, T)> = None;
    for range in ranges.iter().filter(|range| range.quality > 0) {
        if best.as_ref().is_none_or(|(quality, _)| range.quality > *quality)
            && let Some(chosen) = choose(&range.name)
        {
            best = Some((range.quality, chosen));
        }
    }
    best.map(|(_, chosen)| chosen)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn answers_have_the_type_that_is_liked_best() {
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
        assert_eq!(accepted("application/json;q=0"), None);
        assert_eq!(
            accepted("application/json; Q=0.000, */*;q=0.1"),
            Some(Media::GraphqlResponse)
        );
        assert_eq!(
            accepted("application/json;q=0.3, application/graphql-response+json;q=0.31"),
            Some(Media::GraphqlResponse)
        );
    }
}
