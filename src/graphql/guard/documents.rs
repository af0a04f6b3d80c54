//! Documents that have been read: each is parsed, weighed and priced once, however often it is asked for.

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
use super::{Refused, literals, numbers, text, weight};
use crate::graphql::errors::ErrorCode;

/// Memory that remembered documents take, at most, in bytes.
const MOST_MEMORY: u64 = 16 * 1024 * 1024;
/// How many documents are likely to be remembered.
const LIKELY: usize = 1_000;
/// Memory that a word or sign of a document takes once it is parsed, in bytes, roughly and at most: a field can be
/// one word, and takes 184 in its list, again as much where the list keeps room to grow, and its name.
const MEMORY_PER_TOKEN: usize = 400;

/// The SHA-256 of a document's text. Nobody makes two texts with the same one, so a client cannot have its document taken for
/// another's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// From the hexadecimal digits that clients write it in.
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
    /// As it came.
    pub(super) text: Arc<str>,
    pub(super) parsed: ExecutableDocument,
    operations: Vec<Operation>,
    tokens: usize,
}

/// Why a text is no document that may be executed.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It does not parse.
    Syntax(ServerError),
    /// It asks for too much, or for what must not be asked.
    Refused(Refused),
}

impl From<Refused> for Unreadable {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl Document {
    /// Reads a text: counted first, so that what is too much is never parsed, then parsed and weighed.
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
        Ok(Self {
            operations: operations?,
            text: text.into(),
            parsed,
            tokens,
        })
    }

    /// The operation of this name; the only one when none is named.
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
                "the document has several operations: operationName must say which",
            )),
        }
    }

    /// Memory that it takes, roughly, in bytes.
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

/// The documents that were read lately, bounded by the memory they take. Documents that are asked for once do not drive out
/// those that are asked for again and again: clients that write values into their documents harm nobody but themselves.
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

    /// The document of this text, which has this digest.
    pub(super) fn get_or_read(&self, digest: Digest, text: &str, types: &Types) -> Result<Arc<Document>, Unreadable> {
        if let Some(document) = self.remembered.get(&digest) {
            return Ok(document);
        }
        let document = Arc::new(Document::read(text, types)?);
        self.remembered.insert(digest, Arc::clone(&document));
        Ok(document)
    }

    /// The document of this digest, if it is remembered.
    pub(super) fn get(&self, digest: Digest) -> Option<Arc<Document>> {
        self.remembered.get(&digest)
    }

    /// How many documents are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.remembered.len()
    }

    /// Memory that they take, roughly, in bytes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> u64 {
        self.remembered.weight()
    }
}
