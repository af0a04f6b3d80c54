//! Answers about the schema itself: each is made once.
//!
//! The schema never changes while a process runs and is the same for every caller, so an answer depends on nothing but the document,
//! the operation and the variables. A full introspection takes as much work as thousands of ordinary fields.

use std::sync::Arc;

use async_graphql::{Request, Response, Value};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::description;
use super::{Schema, errors};
use crate::graphql::errors::{ErrorCode, refused_request};

/// Memory that remembered answers take, at most, in bytes.
const MOST_MEMORY: u64 = 16 * 1_024 * 1_024;
/// How many are likely to be remembered.
const LIKELY: usize = 100;

type Key = [u8; 32];

#[derive(Clone)]
struct Size;

impl Weighter<Key, Arc<str>> for Size {
    fn weight(&self, _: &Key, data: &Arc<str>) -> u64 {
        (size_of::<Key>() + data.len()) as u64
    }
}

/// The answers that were made lately, bounded by the memory they take.
#[derive(Clone)]
pub(super) struct Introspections(Arc<Cache<Key, Arc<str>, Size>>);

impl Default for Introspections {
    fn default() -> Self {
        Self(Arc::new(Cache::with_weighter(LIKELY, MOST_MEMORY, Size)))
    }
}

impl Schema {
    /// The `data` of an operation that asks for nothing but the schema itself, as JSON; or the response, where it has errors.
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
