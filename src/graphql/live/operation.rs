//! A subscription as the client sent it, and the callers that can share its messages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, OperationType,
    Selection, SelectionSet, TypeCondition,
};
use async_graphql::{Name, Positioned, Request, Response, Variables};
use async_graphql_value::Value;
use sha2::{Digest, Sha256};

use crate::graphql::errors::{self, ErrorCode};
use crate::graphql::guard;
use crate::graphql::guard::Operation as Checked;
use crate::primitives::actor::{Actor, Permission};
use crate::primitives::ids::{AccountId, MemberId};

/// Arguments that set the start of a stream and do not affect its messages.
const BEGIN: [&str; 2] = ["after", "replayAtMost"];

/// The digest of subscriptions with the same messages.
pub(super) type AudienceKey = [u8; 32];

/// A subscription that can be executed any number of times.
#[derive(Clone)]
pub(super) struct Operation {
    document: Arc<ExecutableDocument>,
    name: Option<String>,
    variables: Variables,
    pub(super) cost: u64,
    /// The digest of all that affects its responses: the text, and the variables except those that set the start.
    digest: [u8; 32],
    is_of_one_viewer: bool,
    is_in_a_language: bool,
}

impl Operation {
    /// Reads a request. Refuses an operation that is no subscription.
    pub(super) fn take(checked: Checked, documents: &Documents) -> Result<Self, Box<Response>> {
        let Checked { mut request, cost, .. } = checked;
        let text_digest: [u8; 32] = Sha256::digest(request.query.as_bytes()).into();
        let document = documents.parsed(text_digest, &mut request)?;
        let Request {
            operation_name: name,
            variables,
            ..
        } = request;
        let refused = |message| Box::new(errors::refused_request(ErrorCode::BadRequest, message));
        let operation = selected(&document, name.as_deref())
            .filter(|operation| operation.ty == OperationType::Subscription)
            .ok_or_else(|| refused("this is not a subscription"))?;
        let root = only_field(operation).ok_or_else(|| refused("a subscription selects exactly one field"))?;
        let mut shared = variables.clone();
        for argument in BEGIN {
            if let Some(name) = variable_of(root, argument).filter(|name| uses(&document, name) == 1) {
                shared.remove(name.as_str());
            }
        }
        let digest = Sha256::new()
            .chain_update(text_digest)
            .chain_update(name.as_deref().unwrap_or_default())
            .chain_update([0])
            .chain_update(serde_json::to_vec(&shared).unwrap_or_default())
            .finalize();
        Ok(Self {
            is_of_one_viewer: guard::selects_of_viewer(&document),
            is_in_a_language: guard::selects_in_a_language(&document),
            document,
            name,
            variables,
            cost,
            digest: digest.into(),
        })
    }

    /// Returns a request that executes it once.
    pub(super) fn request(&self) -> Request {
        let mut request = Request::new(String::new()).variables(self.variables.clone());
        request.operation_name.clone_from(&self.name);
        request.set_parsed_query((*self.document).clone());
        request
    }

    /// Returns whether callers with these rights receive the same messages. Callers who see only their own data do not.
    pub(super) fn is_shared(&self, actor: &Actor) -> bool {
        !self.is_of_one_viewer && actor.permissions().has(Permission::ReadCreditLog)
    }

    /// Returns whether the messages are shared by language, so that the language must be known.
    pub(super) fn needs_language(&self, actor: &Actor) -> bool {
        self.is_in_a_language && self.is_shared(actor)
    }

    /// Returns the key of the audience: callers with the same key receive the same messages about the same events. The member
    /// whose inbox is followed is part of it even if nothing of the inbox is selected, because it decides which events produce
    /// a message.
    pub(super) fn audience(
        &self,
        account_id: AccountId,
        inbox_of: Option<MemberId>,
        actor: &Actor,
        language: Option<&str>,
    ) -> AudienceKey {
        let viewer = match actor {
            Actor::Member { member_id, role, .. } if !self.is_shared(actor) => {
                format!("member {} {}", member_id.uuid(), role.as_str())
            }
            Actor::Member { role, .. } => format!("members {}", role.as_str()),
            Actor::ApiKey {
                account_id, api_key_id, ..
            } if !self.is_shared(actor) => {
                format!(
                    "key {} {} {} {}",
                    account_id.number(),
                    api_key_id.uuid(),
                    actor.side().as_str(),
                    actor.permissions().bits()
                )
            }
            Actor::ApiKey { account_id, .. } => format!(
                "keys {} {} {}",
                account_id.number(),
                actor.side().as_str(),
                actor.permissions().bits()
            ),
            Actor::System => "system".to_owned(),
        };
        Sha256::new()
            .chain_update(self.digest)
            .chain_update(account_id.number().to_be_bytes())
            .chain_update(inbox_of.map_or([0; 16], |member_id| *member_id.uuid().as_bytes()))
            .chain_update(viewer)
            .chain_update([0])
            .chain_update(language.unwrap_or_default())
            .finalize()
            .into()
    }
}

/// Parsed documents that subscriptions use, each stored once.
#[derive(Clone, Default)]
pub(in crate::graphql) struct Documents(Arc<Mutex<HashMap<[u8; 32], Weak<ExecutableDocument>>>>);

impl Documents {
    fn parsed(&self, digest: [u8; 32], request: &mut Request) -> Result<Arc<ExecutableDocument>, Box<Response>> {
        let kept = |documents: &HashMap<_, Weak<ExecutableDocument>>| documents.get(&digest).and_then(Weak::upgrade);
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(document) = kept(&lock()) {
            return Ok(document);
        }
        let parsed = request.parsed_query().map_err(|error| {
            let mut response = Response::from_errors(vec![error]);
            errors::tidy(&mut response);
            Box::new(response)
        })?;
        let document = Arc::new(with_plain_roots(parsed.clone()));
        let mut documents = lock();
        documents.retain(|_, document| document.strong_count() > 0);
        documents.insert(digest, Arc::downgrade(&document));
        Ok(document)
    }
}

/// Returns the document with the root fragments of its subscriptions written out: the library ignores everything but plain
/// fields there. A fragment with a directive stays, and is refused.
fn with_plain_roots(mut document: ExecutableDocument) -> ExecutableDocument {
    let ExecutableDocument { operations, fragments } = &mut document;
    let mut written_out = Vec::new();
    let operations: Vec<_> = match operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(operations) => operations.values_mut().collect(),
    };
    for operation in operations
        .into_iter()
        .filter(|operation| operation.node.ty == OperationType::Subscription)
    {
        let items = &mut operation.node.selection_set.node.items;
        // Each iteration is one fragment deeper. No fragment spreads itself: the document was weighed.
        while items
            .iter()
            .any(|selection| is_plain_fragment(&selection.node, fragments))
        {
            *items = std::mem::take(items)
                .into_iter()
                .flat_map(|selection| match &selection.node {
                    node if !is_plain_fragment(node, fragments) => vec![selection],
                    Selection::FragmentSpread(spread) => {
                        let name = &spread.node.fragment_name.node;
                        written_out.push(name.clone());
                        let fragment = fragments.get(name);
                        fragment.map_or_else(Vec::new, |fragment| fragment.node.selection_set.node.items.clone())
                    }
                    Selection::InlineFragment(fragment) => fragment.node.selection_set.node.items.clone(),
                    Selection::Field(_) => vec![selection],
                })
                .collect();
        }
    }
    for name in written_out {
        fragments.remove(&name);
    }
    document
}

/// Returns whether a root selection is a fragment that can be written out.
fn is_plain_fragment(selection: &Selection, fragments: &HashMap<Name, Positioned<FragmentDefinition>>) -> bool {
    match selection {
        Selection::Field(_) => false,
        Selection::FragmentSpread(spread) => {
            let fragment = fragments.get(&spread.node.fragment_name.node);
            spread.node.directives.is_empty()
                && fragment.is_some_and(|fragment| is_of_root(&fragment.node.type_condition))
        }
        Selection::InlineFragment(fragment) => {
            fragment.node.directives.is_empty() && fragment.node.type_condition.as_ref().is_none_or(is_of_root)
        }
    }
}

fn is_of_root(condition: &Positioned<TypeCondition>) -> bool {
    condition.node.on.node == "Subscription"
}

/// Returns the named operation; without a name, the only operation.
fn selected<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    let mut operations = document.operations.iter();
    match name {
        Some(wanted) => operations
            .find(|(name, _)| name.is_some_and(|name| name.as_str() == wanted))
            .map(|(_, operation)| &operation.node),
        None => operations
            .next()
            .filter(|_| operations.next().is_none())
            .map(|(_, operation)| &operation.node),
    }
}

fn only_field(operation: &OperationDefinition) -> Option<&Field> {
    match operation.selection_set.node.items.as_slice() {
        [only] => match &only.node {
            Selection::Field(field) => Some(&field.node),
            Selection::FragmentSpread(_) | Selection::InlineFragment(_) => None,
        },
        _ => None,
    }
}

fn variable_of(field: &Field, argument: &str) -> Option<String> {
    match &field.get_argument(argument)?.node {
        Value::Variable(name) => Some(name.to_string()),
        _ => None,
    }
}

/// Returns how often the operations and fragments of a document use a variable. A definition does not count.
fn uses(document: &ExecutableDocument, variable: &str) -> usize {
    let operations = document.operations.iter().map(|(_, operation)| {
        let operation = &operation.node;
        uses_in_directives(&operation.directives, variable) + uses_in(&operation.selection_set.node, variable)
    });
    let fragments = document.fragments.values().map(|fragment| {
        let fragment = &fragment.node;
        uses_in_directives(&fragment.directives, variable) + uses_in(&fragment.selection_set.node, variable)
    });
    operations.chain(fragments).sum()
}

fn uses_in(selections: &SelectionSet, variable: &str) -> usize {
    let of = |selection: &Selection| match selection {
        Selection::Field(field) => {
            let values = field.node.arguments.iter().map(|(_, value)| &value.node);
            uses_in_values(values, variable)
                + uses_in_directives(&field.node.directives, variable)
                + uses_in(&field.node.selection_set.node, variable)
        }
        Selection::InlineFragment(fragment) => {
            uses_in_directives(&fragment.node.directives, variable)
                + uses_in(&fragment.node.selection_set.node, variable)
        }
        // The content of a fragment is counted at its definition.
        Selection::FragmentSpread(spread) => uses_in_directives(&spread.node.directives, variable),
    };
    selections.items.iter().map(|selection| of(&selection.node)).sum()
}

fn uses_in_directives(directives: &[Positioned<Directive>], variable: &str) -> usize {
    let arguments = directives.iter().flat_map(|directive| &directive.node.arguments);
    uses_in_values(arguments.map(|(_, value)| &value.node), variable)
}

fn uses_in_values<'a>(values: impl Iterator<Item = &'a Value>, variable: &str) -> usize {
    let of = |value: &Value| match value {
        Value::Variable(name) => usize::from(name == variable),
        Value::List(items) => uses_in_values(items.iter(), variable),
        Value::Object(fields) => uses_in_values(fields.values(), variable),
        _ => 0,
    };
    values.map(of).sum()
}
