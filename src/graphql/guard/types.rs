//! What the guard knows of the schema: for each field its type, its price and its multiplier; and the input types.
//!
//! It is read from the schema's definition, so that a new field has a price without being listed anywhere. Prices follow the
//! measured cost of operations: `make bench-prices` measures it, and `fairness` keeps the two within a factor of four.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputObjectType, OperationType, Type, TypeKind, TypeSystemDefinition,
};

use super::variables::{Input, Inputs};

/// The price of most fields: the value is already loaded, or a loader reads it together with others.
const FIELD: u64 = 1;
/// The price of a page in addition to its items: it runs separate statements.
const PAGE: u64 = 10;
/// The additional price of a filtered page: it also reads rows that it does not return.
pub(super) const FILTER: u64 = 350;
/// The price of a mutation in addition to its response: it runs a transaction.
const CHANGE: u64 = 200;
/// The price of each item of a bulk mutation: many items share a transaction.
const ITEM: u64 = 50;
/// The price of a message of a subscription in addition to its fields.
const MESSAGE: u64 = 20;
/// The number of items that a list without pages counts for.
const LIST: u64 = 5;

/// Lists without pages that are shorter or longer: type, field, items.
const OTHER_LISTS: &[(&str, &str, u64)] = &[
    ("Account", "notificationAddresses", 20),
    ("Account", "webhookEndpoints", 20),
    ("Query", "webhookEndpoints", 20),
    ("Session", "entries", 2),
    ("TopUp", "attempts", 2),
    ("TopUp", "entries", 2),
];

/// Fields that read more rows than they return, or run separate statements: type, field, cost.
const DEAR: &[(&str, &str, u64)] = &[
    ("Account", "alerts", 80),
    ("Account", "apiKeys", 105),
    ("Account", "autoTopUp", 190),
    ("Account", "balance", 35),
    ("Account", "creditLogExport", 20),
    ("Account", "creditUsage", 180),
    ("Account", "eligibility", 25),
    ("Account", "events", 50),
    ("Account", "explainBalance", 80),
    ("Account", "forecast", 500),
    ("Account", "liveCursor", 60),
    ("Account", "notificationAddresses", 50),
    ("Account", "paymentMethods", 50),
    ("Account", "sessions", 60),
    ("Account", "simulateAutoTopUp", 700),
    ("Account", "troubleshooting", 820),
    ("Account", "webhookEndpoints", 50),
    ("AlertConnection", "unreadCount", 100),
    ("BalanceExplanation", "entries", 60),
    // Held credits are computed from the movements of each hold.
    ("BalanceExplanation", "holds", 700),
    ("BalanceExplanation", "totals", 100),
    ("CreditEntryConnection", "totals", 100),
    ("Member", "unreadAlertCount", 10),
    ("Member", "usage", 11),
    ("Mutation", "bookSession", 430),
    ("Query", "nodes", 12),
    ("Query", "webhookEndpoints", 50),
    // It reads all attempts of the top-up, and the cards and declines of its account.
    ("TopUp", "canRetry", 5),
];

/// The nested lists of introspection, with the number of items that each counts for.
const INTROSPECTION: &[(&str, &str, &str, u64)] = &[
    ("__Schema", "types", "__Type", 100),
    ("__Schema", "directives", "__Directive", 5),
    ("__Type", "fields", "__Field", 5),
    ("__Type", "inputFields", "__InputValue", 2),
    ("__Type", "interfaces", "__Type", 1),
    ("__Type", "possibleTypes", "__Type", 2),
    ("__Type", "enumValues", "__EnumValue", 2),
    ("__Type", "ofType", "__Type", 1),
    ("__Field", "args", "__InputValue", 1),
    ("__Field", "type", "__Type", 1),
    ("__Directive", "args", "__InputValue", 1),
    ("__InputValue", "type", "__Type", 1),
];

/// What multiplies the selection of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Multiplier {
    /// A list that always has about this many items, or a single object.
    Fixed(u64),
    /// A page: the lists in its result have as many items as `first` or `last` requests.
    Page,
    /// A list with one item for each element of the argument `ids`.
    Ids,
    /// A mutation with one change per element of `input.items`; the lists in its result have as many items.
    Items,
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "marks that do not depend on each other")]
pub(super) struct Field {
    /// The object or interface in its result or its list; `None` for scalars and enums.
    pub(super) returns: Option<String>,
    pub(super) is_list: bool,
    pub(super) price: u64,
    pub(super) multiplier: Multiplier,
    /// Whether its value depends on the caller.
    pub(super) is_of_viewer: bool,
    /// Whether it is written in the viewer's language.
    pub(super) is_in_a_language: bool,
    /// Whether it is a position in a stream, to be read before all other data.
    pub(super) is_live_cursor: bool,
    /// Whether it takes an idempotency key, itself or in its items: such mutations move credits.
    pub(super) moves_credits: bool,
    pub(super) arguments: HashMap<String, Type>,
}

#[derive(Debug, Default)]
pub(super) struct Types {
    fields: HashMap<String, HashMap<String, Field>>,
    inputs: Inputs,
}

impl Types {
    /// Reads the definition of a schema.
    ///
    /// # Panics
    ///
    /// If the text is no schema. The library that reads it also prints it.
    pub(super) fn read(sdl: &str) -> Self {
        let document = parse_schema(sdl).expect("the library reads what it printed");
        let mut types = Self::default();
        let mut inputs: HashMap<&str, &InputObjectType> = HashMap::new();
        let mut objects: Vec<(&str, &Vec<async_graphql::Positioned<FieldDefinition>>)> = Vec::new();
        for definition in &document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let name = definition.node.name.node.as_str();
            match &definition.node.kind {
                TypeKind::Object(object) => objects.push((name, &object.fields)),
                TypeKind::Interface(interface) => objects.push((name, &interface.fields)),
                TypeKind::InputObject(input) => {
                    inputs.insert(name, input);
                    types.inputs.insert(name.to_owned(), Input::object(input));
                }
                TypeKind::Enum(definition) => {
                    let values = definition.values.iter().map(|value| value.node.value.node.to_string());
                    types.inputs.insert(name.to_owned(), Input::Enum(values.collect()));
                }
                TypeKind::Scalar => {
                    types.inputs.insert(name.to_owned(), Input::Scalar);
                }
                TypeKind::Union(_) => {}
            }
        }
        let names: HashSet<&str> = objects.iter().map(|(name, _)| *name).collect();
        for (name, definitions) in objects {
            let fields = definitions.iter().map(|definition| {
                let field = read_field(name, &definition.node, &names, &inputs);
                (definition.node.name.node.to_string(), field)
            });
            types.fields.insert(name.to_owned(), fields.collect());
        }
        types.add_introspection();
        types
    }

    /// Returns a field of a type. `None` if there is none, which validation reports.
    pub(super) fn field(&self, on_type: &str, name: &str) -> Option<&Field> {
        self.fields.get(on_type)?.get(name)
    }

    /// Returns the types that variables may have.
    pub(super) fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    fn add_introspection(&mut self) {
        for (on_type, name, returns, items) in INTROSPECTION {
            let field = Field {
                returns: Some((*returns).to_owned()),
                is_list: *items > 1,
                price: FIELD,
                multiplier: Multiplier::Fixed(*items),
                is_of_viewer: false,
                is_in_a_language: false,
                is_live_cursor: false,
                moves_credits: false,
                arguments: HashMap::new(),
            };
            let fields = self.fields.entry((*on_type).to_owned()).or_default();
            fields.insert((*name).to_owned(), field);
        }
    }
}

fn read_field(
    on_type: &str,
    definition: &FieldDefinition,
    objects: &HashSet<&str>,
    inputs: &HashMap<&str, &InputObjectType>,
) -> Field {
    let name = definition.name.node.as_str();
    let takes = |argument: &str| {
        let mut arguments = definition.arguments.iter();
        arguments.find(|given| given.node.name.node == argument)
    };
    let field_of = |input: &Type, name: &str| {
        let input = inputs.get(named(input))?;
        let field = input.fields.iter().find(|field| field.node.name.node == name)?;
        Some(&field.node.ty.node)
    };
    let is_marked = |mark: &str| definition.directives.iter().any(|given| given.node.name.node == mark);
    let arguments = definition.arguments.iter();
    let arguments = arguments.map(|argument| (argument.node.name.node.to_string(), argument.node.ty.node.clone()));
    let input = takes("input").map(|argument| &argument.node.ty.node);
    let items = input.and_then(|input| field_of(input, "items"));
    let has_key = |input: &Type| field_of(input, "idempotencyKey").is_some();

    let returns = named(&definition.ty.node);
    let is_object = objects.contains(returns);
    let is_list = is_object && matches!(definition.ty.node.base, BaseType::List(_));
    let is_page = takes("first").is_some() || takes("last").is_some();
    let multiplier = if items.is_some() {
        Multiplier::Items
    } else if is_page {
        Multiplier::Page
    } else if is_list && takes("ids").is_some() {
        Multiplier::Ids
    } else {
        let short = OTHER_LISTS
            .iter()
            .find(|(short, field, _)| (*short, *field) == (on_type, name));
        let length = short.map_or(LIST, |(_, _, items)| *items);
        Multiplier::Fixed(if is_list { length } else { 1 })
    };
    let dear = DEAR.iter().find(|(dear, field, _)| (*dear, *field) == (on_type, name));
    let price = match dear {
        Some((_, _, price)) => *price,
        None if items.is_some() => ITEM,
        None if on_type == "Mutation" => CHANGE,
        None if on_type == "Subscription" => MESSAGE,
        None if is_page => PAGE,
        None => FIELD,
    };
    Field {
        returns: is_object.then(|| returns.to_owned()),
        is_list,
        price,
        multiplier,
        is_of_viewer: is_marked("viewer"),
        is_in_a_language: is_marked("language"),
        is_live_cursor: name == "liveCursor" && returns == "LiveCursor",
        moves_credits: on_type == "Mutation" && (input.is_some_and(has_key) || items.is_some_and(has_key)),
        arguments: arguments.collect(),
    }
}

pub(super) const fn root(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    }
}

/// Returns the name of a type without its brackets and exclamation marks.
fn named(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(inner) => named(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> Types {
        Types::read(&crate::graphql::sdl())
    }

    #[test]
    fn what_is_dear_exists() {
        let types = types();
        for (on_type, field, price) in DEAR {
            let found = types.field(on_type, field);
            assert_eq!(found.map(|field| field.price), Some(*price), "{on_type}.{field}");
        }
    }

    #[test]
    fn pages_lists_and_changes_are_told_apart() {
        let types = types();
        let multiplier = |on_type, field| types.field(on_type, field).expect("it exists").multiplier;
        assert_eq!(multiplier("Account", "creditLog"), Multiplier::Page);
        assert_eq!(multiplier("Query", "nodes"), Multiplier::Ids);
        assert_eq!(multiplier("Account", "apiKeys"), Multiplier::Fixed(LIST));
        for (on_type, field, items) in OTHER_LISTS {
            assert_eq!(
                multiplier(on_type, field),
                Multiplier::Fixed(*items),
                "{on_type}.{field}"
            );
        }
        assert_eq!(multiplier("CreditEntry", "member"), Multiplier::Fixed(1));
        assert_eq!(multiplier("Mutation", "bookSessions"), Multiplier::Items);
        let moves = |field| types.field("Mutation", field).expect("it exists").moves_credits;
        assert!(moves("bookSession") && moves("completeSessions") && moves("grantCredits"));
        assert!(!moves("addMember") && !moves("revokeApiKey"));
    }
}
