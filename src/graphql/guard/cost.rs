//! The cost of an operation: the price of each field, multiplied by the requested number of items.
//!
//! It is computed once per document, as a sum with factors that depend on the variables. For a request it takes only a few
//! additions. Fields that `@skip` and `@include` leave out are counted: the document may request them.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, Field, OperationDefinition, SelectionSet};
use async_graphql::parser::types::{Selection, VariableDefinition};
use async_graphql::{Name, Positioned, Variables};
use async_graphql_value::{ConstValue, Value};

use super::types::{FILTER, Multiplier, Types, root};

/// Items of a page when neither `first` nor `last` is given.
const PAGE_BY_DEFAULT: u64 = 20;
/// The maximum number of items of a page or of an input list. More are refused where they are read.
const MOST_ITEMS: u64 = 100;
/// The count of a page or a list whose size is missing in the request. Such a request will be refused.
const UNTOLD: u64 = 1;
/// The cost of the schema's description in addition to its fields, and the number of its fields that cost as much as one ordinary
/// field.
const INTROSPECTION: u64 = 150;
const INTROSPECTION_DISCOUNT: u64 = 14;

/// A cost that depends on the variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Cost {
    fixed: u64,
    parts: Vec<(Count, Cost)>,
}

/// The requested number of items.
#[derive(Clone, Debug)]
enum Count {
    /// The argument `first` or `last`.
    Page(Option<Value>),
    /// The length of a list, at this path in an argument.
    Length(Value, &'static [&'static str]),
}

/// The variables of a request and the defaults of its operation.
struct Given<'a> {
    variables: &'a Variables,
    defaults: &'a HashMap<Name, ConstValue>,
}

impl Cost {
    fn of(fixed: u64) -> Self {
        Self { fixed, parts: vec![] }
    }

    fn add(&mut self, other: Self) {
        self.fixed = self.fixed.saturating_add(other.fixed);
        self.parts.extend(other.parts);
    }

    fn times(mut self, factor: u64) -> Self {
        self.fixed = self.fixed.saturating_mul(factor);
        for (_, part) in &mut self.parts {
            *part = std::mem::take(part).times(factor);
        }
        self
    }

    fn counted(self, count: Count) -> Self {
        match count.without_variables() {
            Some(items) => self.times(items),
            None => Self {
                fixed: 0,
                parts: vec![(count, self)],
            },
        }
    }

    fn total(&self, given: &Given<'_>) -> u64 {
        self.parts.iter().fold(self.fixed, |sum, (count, part)| {
            let items = count.items(given);
            sum.saturating_add(items.saturating_mul(part.total(given)))
        })
    }

    /// Returns its approximate heap memory.
    pub(super) fn size(&self) -> usize {
        let parts = self.parts.iter();
        parts.map(|(_, part)| size_of::<(Count, Self)>() + part.size()).sum()
    }
}

impl Count {
    /// Returns the number of items, if no variable affects it.
    fn without_variables(&self) -> Option<u64> {
        let depends = match self {
            Self::Page(argument) => argument.as_ref().is_some_and(has_variables),
            Self::Length(argument, _) => has_variables(argument),
        };
        let nothing = Given {
            variables: &Variables::default(),
            defaults: &HashMap::new(),
        };
        (!depends).then(|| self.items(&nothing))
    }

    fn items(&self, given: &Given<'_>) -> u64 {
        let items = match self {
            Self::Page(None | Some(Value::Null)) => PAGE_BY_DEFAULT,
            Self::Page(Some(Value::Variable(name))) => match given.value(name) {
                None | Some(ConstValue::Null) => PAGE_BY_DEFAULT,
                Some(ConstValue::Number(number)) => number.as_u64().unwrap_or(UNTOLD),
                Some(_) => UNTOLD,
            },
            Self::Page(Some(Value::Number(number))) => number.as_u64().unwrap_or(UNTOLD),
            Self::Page(Some(_)) => UNTOLD,
            Self::Length(argument, path) => length(argument, path, given),
        };
        items.min(MOST_ITEMS)
    }
}

impl Given<'_> {
    fn value(&self, name: &Name) -> Option<&ConstValue> {
        self.variables.get(name).or_else(|| self.defaults.get(name))
    }
}

fn has_variables(value: &Value) -> bool {
    match value {
        Value::Variable(_) => true,
        Value::List(items) => items.iter().any(has_variables),
        Value::Object(fields) => fields.values().any(has_variables),
        _ => false,
    }
}

fn length(value: &Value, path: &[&str], given: &Given<'_>) -> u64 {
    match (value, path) {
        (Value::Variable(name), _) => given.value(name).map_or(UNTOLD, |value| const_length(value, path)),
        (Value::Object(fields), [first, rest @ ..]) => {
            let field = fields.get(*first);
            field.map_or(UNTOLD, |value| length(value, rest, given))
        }
        (Value::List(items), []) => items.len() as u64,
        _ => UNTOLD,
    }
}

fn const_length(value: &ConstValue, path: &[&str]) -> u64 {
    match (value, path) {
        (ConstValue::Object(fields), [first, rest @ ..]) => {
            let field = fields.get(*first);
            field.map_or(UNTOLD, |value| const_length(value, rest))
        }
        (ConstValue::List(items), []) => items.len() as u64,
        _ => UNTOLD,
    }
}

/// The cost of a selection: once, and for each item of the page or mutation that it belongs to.
#[derive(Default)]
struct Selected {
    once: Cost,
    per_item: Cost,
}

/// Computes the prices of the selections in one document.
struct Pricing<'a> {
    document: &'a ExecutableDocument,
    types: &'a Types,
}

impl Pricing<'_> {
    /// Computes the cost of a selection. `counted`: its lists have as many items as the page or mutation that returns it.
    fn selection(&self, selections: &SelectionSet, on_type: Option<&str>, counted: bool) -> Selected {
        let mut sum = Selected::default();
        for selection in &selections.items {
            let part = match &selection.node {
                Selection::Field(field) => self.field(&field.node, on_type, counted),
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let on_type = condition.map(|condition| condition.node.on.node.as_str()).or(on_type);
                    self.selection(&fragment.node.selection_set.node, on_type, counted)
                }
                Selection::FragmentSpread(spread) => {
                    let Some(fragment) = self.document.fragments.get(&spread.node.fragment_name.node) else {
                        continue;
                    };
                    let on_type = fragment.node.type_condition.node.on.node.as_str();
                    self.selection(&fragment.node.selection_set.node, Some(on_type), counted)
                }
            };
            sum.once.add(part.once);
            sum.per_item.add(part.per_item);
        }
        sum
    }

    fn field(&self, field: &Field, on_type: Option<&str>, counted: bool) -> Selected {
        let name = field.name.node.as_str();
        let below = &field.selection_set.node;
        if matches!(name, "__schema" | "__type") {
            let on_type = if name == "__schema" { "__Schema" } else { "__Type" };
            let Selected { mut once, .. } = self.selection(below, Some(on_type), false);
            once.fixed = INTROSPECTION + once.fixed / INTROSPECTION_DISCOUNT;
            return Selected {
                once,
                ..Selected::default()
            };
        }
        let Some(known) = on_type.and_then(|on_type| self.types.field(on_type, name)) else {
            let mut once = self.selection(below, None, false).once;
            once.add(Cost::of(1));
            return Selected {
                once,
                ..Selected::default()
            };
        };
        let counts = matches!(known.multiplier, Multiplier::Page | Multiplier::Items);
        let Selected { once, per_item } = self.selection(below, known.returns.as_deref(), counts);
        let argument = |name: &str| field.get_argument(name).map(|value| value.node.clone());
        let length_of = |name: &str, path| Count::Length(argument(name).unwrap_or(Value::Null), path);
        let mut cost = once;
        match known.multiplier {
            Multiplier::Page => {
                let asked = argument("first").filter(|first| *first != Value::Null);
                cost.add(per_item.counted(Count::Page(asked.or_else(|| argument("last")))));
                let is_filtered = argument("filter").is_some_and(|filter| filter != Value::Null);
                cost.add(Cost::of(known.price + if is_filtered { FILTER } else { 0 }));
            }
            Multiplier::Items => {
                let mut each = per_item;
                each.add(Cost::of(known.price));
                cost.add(each.counted(length_of("input", &["items"])));
            }
            Multiplier::Ids => {
                cost.add(Cost::of(known.price));
                cost = cost.counted(length_of("ids", &[]));
            }
            // The page or mutation that this list belongs to multiplies it.
            Multiplier::Fixed(_) if known.is_list && counted => {
                cost.add(Cost::of(known.price));
                return Selected {
                    once: Cost::default(),
                    per_item: cost,
                };
            }
            Multiplier::Fixed(items) => {
                cost = cost.times(items);
                cost.add(Cost::of(known.price));
            }
        }
        Selected {
            once: cost,
            ..Selected::default()
        }
    }
}

/// The cost of one operation, as far as it depends on the document.
#[derive(Debug)]
pub(super) struct OperationCost {
    cost: Cost,
    defaults: HashMap<Name, ConstValue>,
}

impl OperationCost {
    /// Computes the cost of a document that was weighed: it walks fragments wherever they are spread.
    pub(super) fn of(document: &ExecutableDocument, operation: &OperationDefinition, types: &Types) -> Self {
        let root = root(operation.ty);
        let pricing = Pricing { document, types };
        Self {
            cost: pricing.selection(&operation.selection_set.node, Some(root), false).once,
            defaults: defaults(&operation.variable_definitions),
        }
    }

    /// Returns the cost with the variables of a request.
    pub(super) fn with(&self, variables: &Variables) -> u64 {
        let defaults = &self.defaults;
        self.cost.total(&Given { variables, defaults })
    }

    /// Returns its approximate heap memory.
    pub(super) fn size(&self) -> usize {
        self.cost.size() + self.defaults.len() * size_of::<(Name, ConstValue)>()
    }
}

fn defaults(definitions: &[Positioned<VariableDefinition>]) -> HashMap<Name, ConstValue> {
    let given = definitions.iter().filter_map(|definition| {
        let value = definition.node.default_value.as_ref()?;
        Some((definition.node.name.node.clone(), value.node.clone()))
    });
    given.collect()
}
