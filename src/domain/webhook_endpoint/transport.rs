//! The port by which messages leave: one request, and what came of it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::primitives::clock::Timestamp;

use super::model::WebhookFailure;

/// A message on its way.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The endpoint.
    pub url: &'a str,
    /// The value of `webhook-id`.
    pub id: &'a str,
    /// The time of the attempt, for `webhook-timestamp`.
    pub at: Timestamp,
    /// The value of `webhook-signature`.
    pub signature: &'a str,
    /// The body.
    pub body: &'a str,
}

/// The response of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The pause that it asks for, in milliseconds.
    pub retry_after: Option<i64>,
}

/// A request in progress.
pub type Posting<'a> = Pin<Box<dyn Future<Output = Result<Answer, WebhookFailure>> + Send + 'a>>;

/// Makes the requests. It never reaches an internal address, follows no redirect, and ends within a bounded time.
pub trait Transport: Send + Sync + 'static {
    /// Returns why messages cannot be sent to this URL, if so. A name may resolve to an internal address later: that is decided with
    /// each request.
    fn flaw(&self, url: &str) -> Option<String>;

    /// The longest time that a request takes.
    fn time_limit(&self) -> Duration;

    /// Sends a message.
    fn post<'a>(&'a self, request: Request<'a>) -> Posting<'a>;
}
