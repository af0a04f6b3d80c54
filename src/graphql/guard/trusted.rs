//! Trusted documents: operations that were reviewed, are published with an application, and are requested by id.

use std::collections::HashMap;
use std::sync::Arc;

use super::documents::{Digest, Document, Unreadable};

/// The documents of a manifest by id.
///
/// A manifest is a JSON object from id to document. Relay's compiler and the client preset of GraphQL Code Generator write it.
/// A client requests a document by `documentId`, as *Persisted Documents* in GraphQL over HTTP defines: by its id in the
/// manifest, or by `sha256:` and the SHA-256 of its text in lower-case hexadecimal digits.
#[derive(Clone, Debug, Default)]
pub struct TrustedDocuments {
    by_id: Arc<HashMap<String, Arc<Document>>>,
}

/// Why a manifest is not valid, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    /// It is not JSON, or not an object of texts.
    #[error("it must be a JSON object from ids to documents: {0}")]
    Shape(#[from] serde_json::Error),
    /// A document that would not be executed.
    #[error("document {id:?} cannot be executed: {reason}")]
    Document {
        /// The id of the document.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An id in the form of a digest that differs from the digest of its document.
    #[error("document {id:?} does not have the digest in its id")]
    Digest {
        /// The id of the document.
        id: String,
    },
}

impl TrustedDocuments {
    /// Reads a manifest and every document in it.
    pub fn read(manifest: &str) -> Result<Self, InvalidManifest> {
        let texts: HashMap<String, String> = serde_json::from_str(manifest)?;
        let types = super::types_of_schema();
        let mut by_id = HashMap::new();
        for (id, text) in texts {
            let digest = id_of(Digest::of(&text));
            if id.starts_with(SHA_256) && id != digest {
                return Err(InvalidManifest::Digest { id });
            }
            let document = Document::read(&text, types).map_err(|unreadable| InvalidManifest::Document {
                id: id.clone(),
                reason: reason(unreadable),
            })?;
            let document = Arc::new(document);
            by_id.insert(id, Arc::clone(&document));
            by_id.insert(digest, document);
        }
        Ok(Self { by_id: Arc::new(by_id) })
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Arc<Document>> {
        self.by_id.get(id)
    }

    pub(super) fn by_digest(&self, digest: Digest) -> Option<&Arc<Document>> {
        if self.by_id.is_empty() {
            return None;
        }
        self.by_id.get(&id_of(digest))
    }
}

/// The prefix of ids that are digests.
const SHA_256: &str = "sha256:";

fn id_of(digest: Digest) -> String {
    format!("{SHA_256}{}", digest.to_hex())
}

fn reason(unreadable: Unreadable) -> String {
    match unreadable {
        Unreadable::Syntax(error) => error.message,
        Unreadable::Refused(refused) => refused.message.to_owned(),
    }
}
