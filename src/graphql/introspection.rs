//! Responses to queries about the schema itself: each is computed once.
//!
//! The schema never changes while a process runs and is the same for every caller. So an answer depends only on the document,
//! the operation and the variables. A full introspection takes as much work as thousands of ordinary fields.

use std::sync::Arc;

use async_graphql::{Request, Response, Value};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::description;
use super::{Schema, errors};
use crate::graphql::errors::{ErrorCode, refused_request};

/// The maximum memory of cached responses, in bytes.
const MOST_MEMORY: u64 = 16 * 1_024 * 1_024;
/// The expected number of cached responses.
const LIKELY: usize = 100;

type Key = [u8; 32];

#[derive(Clone)]
struct Size;

impl Weighter<Key, Arc<str>> for Size {
    fn weight(&self, _: &Key, data: &Arc<str>) -> u64 {
        (size_of::<Key>() + data.len()) as u64
    }
}

/// A cache of recent responses, limited by their memory.
#[derive(Clone)]
pub(super) struct Introspections(Arc<Cache<Key, Arc<str>, Size>>);

impl Default for Introspections {
    fn default() -> Self {
        Self(Arc::new(Cache::with_weighter(LIKELY, MOST_MEMORY, Size)))
    }
}

impl Schema {
    /// Returns the `data` of an introspection-only operation as JSON, or the whole response if it has errors.
    pub async fn introspect(&self, request: Request) -> Result<Arc<str>, Box<Response>> {
        let key = key_of(&request);
        self.introspections
            .0
            .get_or_insert_async(&key, self.execute_introspection(request))
            .await
    }

    async fn execute_introspection(&self, request: Request) -> Result<Arc<str>, Box<Response>> {
        let mut response = self.inner.execute(request).await;
        errors::tidy(&mut response);
        description::describe(&mut response);
        if !response.errors.is_empty() || response.data == Value::Null {
            return Err(Box::new(response));
        }
        let data = serde_json::to_string(&response.data);
        let data = data.map_err(|_| Box::new(refused_request(ErrorCode::Internal, "the schema cannot be written")))?;
        Ok(data.into())
    }
}

fn key_of(request: &Request) -> Key {
    let mut digest = Sha256::new();
    for part in [
        request.query.as_bytes(),
        request.operation_name.as_deref().unwrap_or_default().as_bytes(),
        &serde_json::to_vec(&request.variables).unwrap_or_default(),
    ] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}
