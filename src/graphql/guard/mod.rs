//! The document guard: checks what a request asks for before all other work.
//!
//! Called by the schema before the caller is known, so nothing here reads the database. A text is counted (`text`), parsed,
//! weighed with its fragments (`weight`), inspected (`operation`) and priced (`cost`, using what `types` knows of the schema).
//! The result is cached (`documents`) or was read at the start (`trusted`). Invariants: the work on a document is limited by
//! its length, however its fragments spread each other. The library can safely walk a document that passes. Variables match
//! their definitions (`variables`). `named` finds the accounts whose live cursors are read first.

mod cost;
mod documents;
#[cfg(test)]
mod fairness;
mod literals;
mod named;
mod numbers;
mod operation;
#[cfg(test)]
mod tests;
mod text;
mod trusted;
mod types;
mod variables;
mod viewer;
mod weight;

use std::sync::{Arc, LazyLock};

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Request, Response, Variables};

use super::errors::{self, ErrorCode};
use crate::primitives::ids::AccountId;
use documents::{Digest, Document, Documents, Unreadable};
use types::Types;

pub(crate) use numbers::altered_number;
pub use operation::OperationKind;
pub(crate) use text::NUL;
pub use trusted::{InvalidManifest, TrustedDocuments};

/// Why a document is not executed.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    code: ErrorCode,
    message: &'static str,
}

impl Refused {
    const fn new(code: ErrorCode, message: &'static str) -> Self {
        Self { code, message }
    }
}

impl From<Refused> for Box<Response> {
    fn from(refused: Refused) -> Self {
        Self::new(errors::refused_request(refused.code, refused.message))
    }
}

const fn too_complex(message: &'static str) -> Refused {
    Refused::new(ErrorCode::TooComplex, message)
}

/// Limits of requests.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The maximum cost of one operation.
    pub cost: u64,
    /// Documents that can be requested by id.
    pub trusted: TrustedDocuments,
    /// Whether all other documents are refused.
    pub only_trusted: bool,
}

/// The parameters of a request, as defined by GraphQL over HTTP. Sockets use them too.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    /// The text of the document.
    pub query: Option<String>,
    /// The id of a trusted document, instead of a text.
    pub document_id: Option<String>,
    /// The SHA-256 of a document in hexadecimal digits. Without a text it requests the cached document; with a text it names
    /// that document. Clients of Apollo's persisted queries send it.
    pub persisted_query: Option<String>,
    /// The operation of the document to execute.
    pub operation_name: Option<String>,
    /// The variables of the operation.
    pub variables: Variables,
    /// The path of a number in the variables that was altered when it was read: see [`altered_number`].
    pub altered_number: Option<String>,
}

impl Parameters {
    /// Returns whether the request names a document, in one of the three ways.
    pub fn names_a_document(&self) -> bool {
        self.query.is_some() || self.document_id.is_some() || self.persisted_query.is_some()
    }
}

/// An operation that may be executed once the caller is known.
#[derive(Debug)]
pub struct Operation {
    /// The request for [`super::Schema::execute`], with the parsed document.
    pub request: Request,
    /// Query, mutation or subscription.
    pub kind: OperationKind,
    /// Its name in the document.
    pub name: Option<String>,
    /// Whether it queries only the schema itself, which is public.
    pub is_introspection: bool,
    /// Its cost with the given variables.
    pub cost: u64,
    /// Whether it selects `__schema` or `__type`, perhaps beside other fields.
    pub selects_schema: bool,
    /// The accounts that it names by id, if it selects a live cursor. An unnecessary one only costs a read.
    pub(super) followed: Option<Vec<AccountId>>,
}

/// Checks requests before all other work.
#[derive(Debug)]
pub(super) struct Guard {
    documents: Documents,
    limits: Limits,
}

impl Guard {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            documents: Documents::new(),
            limits,
        }
    }

    /// Returns the maximum cost of one operation.
    pub(super) fn budget(&self) -> u64 {
        self.limits.cost
    }

    /// Returns the operation of a request. Refuses a document that cannot be parsed, lacks the operation or costs too much.
    pub(super) fn check(&self, parameters: Parameters) -> Result<Operation, Box<Response>> {
        let Parameters {
            query,
            document_id,
            persisted_query,
            operation_name,
            variables,
            altered_number,
        } = parameters;
        if let Some(path) = altered_number {
            let message = format!("the variable {path} is {}", numbers::ALTERED);
            return Err(Box::new(errors::refused_argument(&path, message)));
        }
        let document = match (query, document_id, persisted_query) {
            (None, None, Some(sha256)) => self.persisted(&sha256)?,
            (query, document_id, sha256) => {
                check_digest(query.as_deref(), sha256.as_deref())?;
                self.document(query, document_id)?
            }
        };
        let operation_name = operation_name.filter(|name| !name.is_empty());
        let operation = document.operation(operation_name.as_deref())?;
        variables::check(&operation.variables, &variables, types_of_schema().inputs())
            .map_err(|wrong| errors::refused_argument(&wrong.path, wrong.message))?;
        let cost = operation.cost.with(&variables);
        if cost > self.limits.cost {
            return Err(Box::new(errors::too_costly(cost, self.limits.cost)));
        }
        let followed = document.followed.clone().map(|mut accounts| {
            accounts.extend(named::in_variables(&variables));
            accounts
        });
        let mut request = Request::new(&*document.text).variables(variables);
        request.set_parsed_query(document.parsed.clone());
        request.operation_name = operation_name;
        Ok(Operation {
            request,
            kind: operation.kind,
            name: operation.name.as_ref().map(ToString::to_string),
            is_introspection: operation.is_introspection,
            cost,
            selects_schema: operation.selects_schema,
            followed,
        })
    }

    /// Returns the document with this digest for a client of persisted queries: a trusted document, or one that was sent
    /// before.
    fn persisted(&self, sha256: &str) -> Result<Arc<Document>, Refused> {
        let digest = Digest::from_hex(sha256);
        let trusted = digest.and_then(|digest| self.limits.trusted.by_digest(digest));
        let found = trusted.cloned().or_else(|| {
            let digest = digest.filter(|_| !self.limits.only_trusted)?;
            self.documents.get(digest)
        });
        // Clients know the text of this message: they then send the document once.
        found.ok_or(Refused::new(
            ErrorCode::PersistedQueryNotFound,
            "PersistedQueryNotFound",
        ))
    }

    fn document(&self, query: Option<String>, document_id: Option<String>) -> Result<Arc<Document>, Box<Response>> {
        let bad = |message| Refused::new(ErrorCode::BadRequest, message);
        match (query, document_id) {
            (Some(_), Some(_)) => Err(bad("send query or documentId, not both").into()),
            (None, None) => Err(bad("query must be a string, or documentId the id of a trusted document").into()),
            (None, Some(id)) => {
                let trusted = &self.limits.trusted;
                Ok(Arc::clone(trusted.by_id(&id).ok_or(bad(UNKNOWN_DOCUMENT))?))
            }
            (Some(text), None) => {
                let digest = Digest::of(&text);
                if let Some(found) = self.limits.trusted.by_digest(digest) {
                    return Ok(Arc::clone(found));
                }
                if self.limits.only_trusted {
                    return Err(bad("only trusted documents are executed: send a documentId").into());
                }
                match self.documents.get_or_read(digest, &text, types_of_schema()) {
                    Ok(document) => Ok(document),
                    Err(Unreadable::Refused(refused)) => Err(refused.into()),
                    Err(Unreadable::Syntax(error)) => {
                        let mut response = Response::from_errors(vec![error]);
                        errors::tidy(&mut response);
                        Err(Box::new(response))
                    }
                }
            }
        }
    }
}

/// The message for a client whose document is not in the manifest.
const UNKNOWN_DOCUMENT: &str = "there is no trusted document with this documentId";

/// Refuses a text that does not have the given digest.
fn check_digest(text: Option<&str>, sha256: Option<&str>) -> Result<(), Box<Response>> {
    let is_other = |(text, sha256)| Digest::from_hex(sha256) != Some(Digest::of(text));
    if text.zip(sha256).is_some_and(is_other) {
        let message = "extensions.persistedQuery.sha256Hash is not the SHA-256 of query";
        return Err(Box::new(errors::refused_argument(
            "extensions.persistedQuery.sha256Hash",
            message,
        )));
    }
    Ok(())
}

/// Returns whether any operation of a document selects a field whose value depends on the caller.
pub(super) fn selects_of_viewer(document: &ExecutableDocument) -> bool {
    viewer::selects(types_of_schema(), document, |field| field.is_of_viewer)
}

/// Returns whether any operation of a document selects a field in the viewer's language.
pub(super) fn selects_in_a_language(document: &ExecutableDocument) -> bool {
    viewer::selects(types_of_schema(), document, |field| field.is_in_a_language)
}

/// Returns what is known of the schema. It is read once: it is the same for all servers of a process.
fn types_of_schema() -> &'static Types {
    static TYPES: LazyLock<Types> = LazyLock::new(|| Types::read(&super::sdl()));
    &TYPES
}
