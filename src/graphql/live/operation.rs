//! A subscription as a client sent it, and with whom its messages may be shared.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, OperationType, Selection,
    SelectionSet, TypeCondition,
};
use async_graphql::{Name, Positioned, Request, Response, Variables};
use sha2::{Digest, Sha256};

use crate::graphql::errors::{self, ErrorCode};
use crate::graphql::guard::Operation as Checked;
use crate::primitives::actor::{Actor, Permission};
use crate::primitives::ids::{AccountId, MemberId};

/// Fields whose value depends on who asks, and not only on what they may do. Whoever selects one shares with nobody.
const OF_ONE_VIEWER: &[&str] = &[
    "creditLogExport",
    // Inboxes: what they hold, what is marked in them, and the language that their alerts are written in.
    "alertRaised",
    "alertsUpdated",
    "alerts",
    "unreadCount",
    "unreadAlertCount",
    "readAt",
    "archivedAt",
    "deliveries",
    // What is wrong is said in the viewer's language.
    "troubleshooting",
    "troubleshootingChanged",
];

/// Subscriptions of one kind get one digest.
pub(super) type AudienceKey = [u8; 32];

/// A subscription, ready to be executed any number of times.
#[derive(Clone)]
pub(super) struct Operation {
    document: Arc<ExecutableDocument>,
    name: Option<String>,
    variables: Variables,
    /// Of one message.
    pub(super) cost: u64,
    /// Of all that makes its answers what they are: the text, and the variables but for the one that says where to begin.
    digest: [u8; 32],
    is_of_one_viewer: bool,
}

impl Operation {
    /// Takes a request apart. What is no subscription is answered here.
    pub(super) fn take(checked: Checked, documents: &Documents) -> Result<Self, Box<Response>> {
        let Checked { mut request, cost, .. } = checked;
        let text_digest: [u8; 32] = Sha256::digest(request.query.as_bytes()).into();
        let document = documents.parsed(text_digest, &mut request)?;
        let Request {
            query: text,
            operation_name: name,
            variables,
            ..
        } = request;
        let refused = |message| Box::new(errors::refused_request(ErrorCode::BadRequest, message));
        let operation = selected(&document, name.as_deref())
            .filter(|operation| operation.ty == OperationType::Subscription)
            .ok_or_else(|| refused("this is no subscription"))?;
        let root = only_field(operation).ok_or_else(|| refused("a subscription selects exactly one field"))?;
        let begins_at = variable_of(root, "after").filter(|name| uses(&text, name) == 2);
        let mut shared = variables.clone();
        if let Some(name) = begins_at {
            shared.remove(name.as_str());
        }
        let digest = Sha256::new()
            .chain_update(text_digest)
            .chain_update(name.as_deref().unwrap_or_default())
            .chain_update([0])
            .chain_update(serde_json::to_vec(&shared).unwrap_or_default())
            .finalize();
        Ok(Self {
            is_of_one_viewer: is_of_one_viewer(&document),
            document,
            name,
            variables,
            cost,
            digest: digest.into(),
        })
    }

    /// A request that executes it once.
    pub(super) fn request(&self) -> Request {
        let mut request = Request::new(String::new()).variables(self.variables.clone());
        request.operation_name.clone_from(&self.name);
        request.set_parsed_query((*self.document).clone());
        request
    }

    /// Callers with the same key get the same messages about the same events. Whose inbox they are told of makes a difference also
    /// where nothing of it is selected: it decides which events there is something to tell of.
    pub(super) fn audience(&self, account_id: AccountId, inbox_of: Option<MemberId>, actor: &Actor) -> AudienceKey {
        let sees_own_part = !actor.permissions().has(Permission::ReadCreditLog);
        let viewer = match actor {
            Actor::Member { member_id, role, .. } if self.is_of_one_viewer || sees_own_part => {
                format!("member {} {}", member_id.uuid(), role.as_str())
            }
            Actor::Member { role, .. } => format!("members {}", role.as_str()),
            Actor::ApiKey {
                account_id, api_key_id, ..
            } if self.is_of_one_viewer => {
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
            .finalize()
            .into()
    }
}

/// Parsed documents that subscriptions are using, each kept once.
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

/// The document with the fragments at the root of its subscriptions written out: the library passes over all but plain fields
/// there. A fragment with a directive stays, and is refused.
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
        // Each turn is one fragment deeper. None spreads itself: the document has been weighed.
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

/// Whether this can be written out where it stands, at the root.
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

/// The operation that a name selects; without one, the only operation.
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

/// The variable that an argument is given by. Printed, nothing but a variable begins with its sign.
fn variable_of(field: &Field, argument: &str) -> Option<String> {
    let printed = field.get_argument(argument)?.node.to_string();
    printed.strip_prefix('$').map(str::to_owned)
}

/// How often a text names a variable: twice, if it is declared and used once.
fn uses(text: &str, variable: &str) -> usize {
    let named = |(at, _): &(usize, &str)| {
        let rest = &text[at + 1..];
        let end = rest.find(|char: char| !char.is_ascii_alphanumeric() && char != '_');
        &rest[..end.unwrap_or(rest.len())] == variable
    };
    text.match_indices('$').filter(named).count()
}

fn is_of_one_viewer(document: &ExecutableDocument) -> bool {
    let operations = document.operations.iter();
    let mut selections = operations
        .map(|(_, operation)| &operation.node.selection_set.node)
        .chain(
            document
                .fragments
                .values()
                .map(|fragment| &fragment.node.selection_set.node),
        );
    selections.any(selects_of_one_viewer)
}

fn selects_of_one_viewer(selections: &SelectionSet) -> bool {
    selections.items.iter().any(|selection| match &selection.node {
        Selection::Field(field) => {
            OF_ONE_VIEWER.contains(&field.node.name.node.as_str())
                || selects_of_one_viewer(&field.node.selection_set.node)
        }
        Selection::InlineFragment(fragment) => selects_of_one_viewer(&fragment.node.selection_set.node),
        // Fragments are looked at by themselves.
        Selection::FragmentSpread(_) => false,
    })
}
