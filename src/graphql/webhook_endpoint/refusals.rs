//! Error messages for refusals about webhook endpoints and messages.

use crate::domain::webhook_endpoint::{
    ChangeEndpointRefusal, CreateEndpointRefusal, ReplayRefusal, RetryMessageRefusal, TestEndpointRefusal,
    UpdateEndpointRefusal,
};
use crate::graphql::refusals::{Failure, Present, UserErrorCode, rate_limited, version_conflict};

const ENDPOINT: &str = "webhookEndpointId";
const MESSAGE: &str = "webhookMessageId";

fn not_found() -> Failure {
    Failure::not_found(ENDPOINT, "webhook endpoint")
}

fn disabled(field: &str, message: String) -> Failure {
    Failure::new(UserErrorCode::WebhookEndpointDisabled, Some(field), message)
}

impl From<CreateEndpointRefusal> for Failure {
    fn from(error: CreateEndpointRefusal) -> Self {
        match error {
            CreateEndpointRefusal::Limit => Self::new(UserErrorCode::WebhookEndpointLimit, None, error.to_string()),
        }
    }
}

impl From<UpdateEndpointRefusal> for Failure {
    fn from(error: UpdateEndpointRefusal) -> Self {
        let message = error.to_string();
        match error {
            UpdateEndpointRefusal::NotFound => not_found(),
            UpdateEndpointRefusal::VersionConflict(endpoint) => {
                version_conflict().with(Present::WebhookEndpoint(endpoint))
            }
            UpdateEndpointRefusal::FilterOfOtherTypes(field) => Self::invalid(field, message),
        }
    }
}

impl From<ChangeEndpointRefusal> for Failure {
    fn from(error: ChangeEndpointRefusal) -> Self {
        match error {
            ChangeEndpointRefusal::NotFound => not_found(),
        }
    }
}

impl From<TestEndpointRefusal> for Failure {
    fn from(error: TestEndpointRefusal) -> Self {
        let message = error.to_string();
        match error {
            TestEndpointRefusal::NotFound => not_found(),
            TestEndpointRefusal::Disabled => disabled(ENDPOINT, message),
            TestEndpointRefusal::TooMany { retry_after_seconds } => rate_limited(retry_after_seconds, message),
        }
    }
}

impl From<RetryMessageRefusal> for Failure {
    fn from(error: RetryMessageRefusal) -> Self {
        match error {
            RetryMessageRefusal::NotFound => Self::not_found(MESSAGE, "webhook message"),
            RetryMessageRefusal::Disabled => disabled(MESSAGE, error.to_string()),
        }
    }
}

impl From<ReplayRefusal> for Failure {
    fn from(error: ReplayRefusal) -> Self {
        let message = error.to_string();
        match error {
            ReplayRefusal::NotFound => not_found(),
            ReplayRefusal::Account(_) => Self::invalid("accountId", message),
            ReplayRefusal::Disabled => disabled(ENDPOINT, message),
            ReplayRefusal::Cursor => Self::invalid("after", message),
        }
    }
}
