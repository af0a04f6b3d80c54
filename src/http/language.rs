//! Selects the language that a request prefers, and translates errors.

use std::sync::Arc;

use async_graphql::{Response, ServerError};
use axum::http::{HeaderMap, header};

use super::media::{Range, best};
use crate::domain::notification::{Refused, Wording};
use crate::graphql::{ErrorCode, code_of, retry_after_seconds};

/// A supported language, and its texts.
#[derive(Clone)]
pub(super) struct Language {
    pub(super) locale: Arc<str>,
    wording: Arc<dyn Wording>,
}

impl Language {
    /// Returns the supported language that the request prefers most; `None` if there is none.
    pub(super) fn asked_for(headers: &HeaderMap, wording: &Arc<dyn Wording>) -> Option<Self> {
        let ranges = Range::all(headers, &header::ACCEPT_LANGUAGE);
        let locale = best(&ranges, |name| wording.speaks(name).then(|| Arc::from(name)))?;
        Some(Self {
            locale,
            wording: Arc::clone(wording),
        })
    }

    /// Translates the errors for end users. Errors about the request itself are for developers and stay in English.
    pub(super) fn translate(&self, response: &mut Response) {
        for error in &mut response.errors {
            if let Some(message) = self.message(error) {
                error.message = message;
            }
        }
    }

    fn message(&self, error: &ServerError) -> Option<String> {
        let code = code_of(error)?;
        let fixed = |english: &str| {
            let words = self.wording.fixed(english, &self.locale);
            (words != english).then_some(words)
        };
        let is = |expected: ErrorCode| code == expected.as_str();
        if is(ErrorCode::Unauthenticated) {
            fixed("sign in to use this field")
        } else if is(ErrorCode::Unavailable) {
            fixed("the service is not available at the moment; try again later")
        } else if is(ErrorCode::Internal) {
            fixed("something went wrong on our side")
        } else if is(ErrorCode::Forbidden) || is(ErrorCode::RateLimited) {
            let refused = Refused {
                code,
                message: &error.message,
                field: None,
                missing: None,
                retry_after_seconds: retry_after_seconds(error).and_then(|seconds| i32::try_from(seconds).ok()),
            };
            self.wording.refusal(&refused, &self.locale).ok().flatten()
        } else {
            None
        }
    }
}

impl std::fmt::Debug for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Language").field(&self.locale).finish()
    }
}
