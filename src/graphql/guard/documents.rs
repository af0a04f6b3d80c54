//! A cache of documents: each is parsed, weighed and priced once, however often it is requested.

use std::fmt;
use std::sync::Arc;

use async_graphql::ServerError;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::ExecutableDocument;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::operation::Operation;
use super::types::Types;
use super::{Refused, literals, named, numbers, text, viewer, weight};
use crate::graphql::errors::ErrorCode;
use crate::primitives::ids::AccountId;

/// The maximum memory of cached documents, in bytes.
const MOST_MEMORY: u64 = 16 * 1024 * 1024;
/// The expected number of cached documents.
const LIKELY: usize = 1_000;
/// An upper estimate of the memory of one token of a parsed document, in bytes. A field can be one token. It takes 184 bytes in
/// its list, the same again if the list has spare capacity, and its name.
const MEMORY_PER_TOKEN: usize = 400;

/// The SHA-256 of a document's text. No two texts with the same digest can be found, so a client cannot replace the document of
/// another client.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Parses the hexadecimal digits that clients send.
    pub(super) fn from_hex(digits: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn to_hex(self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// A document that may be executed.
#[derive(Debug)]
pub(super) struct Document {
    /// The unchanged text.
    pub(super) text: Arc<str>,
    pub(super) parsed: ExecutableDocument,
    /// The accounts that it names by id, if it selects a live cursor.
    pub(super) followed: Option<Vec<AccountId>>,
    operations: Vec<Operation>,
    tokens: usize,
}

/// Why a text is not a document that may be executed.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It cannot be parsed.
    Syntax(ServerError),
    /// It costs too much, or requests what is not allowed.
    Refused(Refused),
}

impl From<Refused> for Unreadable {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl Document {
    /// Reads a text. Its tokens are counted first, so that a text that is too large is never parsed; then it is parsed and
    /// weighed.
    pub(super) fn read(text: &str, types: &Types) -> Result<Self, Unreadable> {
        let tokens = text::count_tokens(text)?;
        numbers::check(text).map_err(Unreadable::Syntax)?;
        let parsed = parse_query(text::readable(text)?).map_err(|error| Unreadable::Syntax(error.into()))?;
        weight::check(&parsed)?;
        literals::check(&parsed, types).map_err(Unreadable::Syntax)?;
        let operations = parsed.operations.iter();
        let operations: Result<_, Refused> = operations
            .map(|(name, operation)| Operation::read(&parsed, name, &operation.node, types))
            .collect();
        let selects_cursor = viewer::selects(types, &parsed, |field| field.is_live_cursor);
        Ok(Self {
            followed: selects_cursor.then(|| named::in_document(&parsed)),
            operations: operations?,
            text: text.into(),
            parsed,
            tokens,
        })
    }

    /// Returns the operation with this name; without a name, the only operation.
    pub(super) fn operation(&self, name: Option<&str>) -> Result<&Operation, Refused> {
        let missing = |message| Refused::new(ErrorCode::BadRequest, message);
        // Some clients send an empty name for none.
        let name = name.filter(|name| !name.is_empty());
        match (name, self.operations.as_slice()) {
            (Some(wanted), operations) => operations
                .iter()
                .find(|operation| operation.name.as_deref() == Some(wanted))
                .ok_or_else(|| missing("the document has no operation of this operationName")),
            (None, [operation]) => Ok(operation),
            (None, _) => Err(missing(
                "the document has several operations: operationName must name one of them",
            )),
        }
    }

    /// Returns its approximate memory in bytes.
    fn size(&self) -> usize {
        let costs = self.operations.iter().map(|operation| operation.cost.size());
        size_of::<Self>()
            + self.text.len()
            + self.tokens * MEMORY_PER_TOKEN
            + self.operations.len() * size_of::<Operation>()
            + costs.sum::<usize>()
    }
}

#[derive(Clone)]
struct Size;

impl Weighter<Digest, Arc<Document>> for Size {
    fn weight(&self, _: &Digest, document: &Arc<Document>) -> u64 {
        document.size() as u64
    }
}

/// A cache of recent documents, limited by their memory. Documents that are requested once do not replace those that are
/// requested repeatedly. So a client that writes values into its documents slows down only itself.
pub(super) struct Documents {
    remembered: Cache<Digest, Arc<Document>, Size>,
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents")
            .field("remembered", &self.remembered.len())
            .finish()
    }
}

impl Documents {
    pub(super) fn new() -> Self {
        Self {
            remembered: Cache::with_weighter(LIKELY, MOST_MEMORY, Size),
        }
    }

    /// Returns the document of this text and digest. Reads it if it is not cached.
    pub(super) fn get_or_read(&self, digest: Digest, text: &str, types: &Types) -> Result<Arc<Document>, Unreadable> {
        if let Some(document) = self.remembered.get(&digest) {
            return Ok(document);
        }
        let document = Arc::new(Document::read(text, types)?);
        self.remembered.insert(digest, Arc::clone(&document));
        Ok(document)
    }

    /// Returns the document with this digest, if it is cached.
    pub(super) fn get(&self, digest: Digest) -> Option<Arc<Document>> {
        self.remembered.get(&digest)
    }

    /// Returns the number of cached documents.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.remembered.len()
    }

    /// Returns the approximate memory of cached documents in bytes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> u64 {
        self.remembered.weight()
    }
}
