//! Lists whose rows are written directly as JSON.
//!
//! The executor of the library resolves every scalar by a boxed future and a value of its own. That is most of the processor time
//! of a long page. A list of [`Row`]s is therefore written at once: [`Columns`] are planned from the selection of the list, what
//! the columns need is read for all rows, and each row is written into one buffer. The response carries the buffer as
//! `Value::Binary`, and [`to_json`] copies it into the text. No type of the schema has other binary values.
//!
//! *Invariant:* the executor would produce the same bytes. So only fields are planned that need no permission beyond that of the
//! list and that cannot fail alone. Everything else is left to the executor, always for the whole list: arguments, directives,
//! other fields, a key that is selected twice, and rows whose data cannot be read. Extensions of the library would not notice
//! the fields of written rows; the schema has none.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;
use std::io::{self, Write};

use async_graphql::parser::types::{self, FragmentDefinition, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::EnumType;
use async_graphql::{ContextSelectionSet, Name, OutputType, Positioned, QueryPathSegment, ServerResult, Value};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::context::Scope;

/// A type of the schema whose objects can be written directly.
pub(super) trait Row: Sized + Sync {
    /// The name of the type.
    const TYPE: &'static str;
    /// A field that can be written. A field with an object contains the columns of that object.
    type Field: Field;
    /// What the fields need besides the row.
    type Related: Send + Sync;

    /// Writes the value of a field.
    fn write(&self, field: &Self::Field, related: &Self::Related, json: &mut Json);
}

/// The fields of a type that can be written directly.
pub(super) trait Field: Sized + Send + Sync {
    /// Returns the field with this name and selection. `None` if only the executor can resolve it.
    fn named(name: &str, selected: Selected<'_>) -> Option<Self>;
}

/// Returns whether a variant of [`fields`] is the field of this name, which begins with a small letter.
pub(super) fn is_named(name: &str, variant: &str) -> bool {
    let (mut name, mut variant) = (name.chars(), variant.chars());
    let first = variant.next().map(|letter| letter.to_ascii_lowercase());
    name.next() == first && name.as_str() == variant.as_str()
}

/// Declares [`Field`]s, each by its name in the schema. A field with an object contains the columns of that object.
macro_rules! fields {
    ($($(#[$doc:meta])* $fields:ident { $($field:ident $(($columns:ty))?,)* })*) => {$(
        $(#[$doc])*
        pub(crate) enum $fields { $($field $(($columns))?,)* }

        impl $crate::graphql::rows::Field for $fields {
            #[allow(unused_variables, reason = "some types have no fields with objects")]
            fn named(name: &str, selected: $crate::graphql::rows::Selected<'_>) -> Option<Self> {
                $(if $crate::graphql::rows::is_named(name, stringify!($field)) {
                    return Some(Self::$field $((<$columns>::of(selected)?))?);
                })*
                None
            }
        }
    )*};
}
pub(super) use fields;

/// A row of a list.
pub(super) trait Listed: Row + OutputType {
    /// Reads what the columns need, for all rows at once. `None` if something cannot be read or does not exist: the executor
    /// then reports it at its field.
    fn read(
        scope: &Scope,
        rows: &[&Self],
        columns: &Columns<Self>,
    ) -> impl Future<Output = Option<Self::Related>> + Send;
}

/// A selection set with the fragments of its document.
#[derive(Clone, Copy)]
pub(super) struct Selected<'a> {
    set: &'a SelectionSet,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
}

impl<'a> Selected<'a> {
    /// Adds the fields in the order of the response to `fields`. Returns `None` if a fragment is of another type than `of_type`, or
    /// has a directive.
    fn collect(self, of_type: Option<&str>, fields: &mut Vec<&'a types::Field>) -> Option<()> {
        for selection in &self.set.items {
            let (condition, set) = match &selection.node {
                Selection::Field(field) => {
                    fields.push(&field.node);
                    continue;
                }
                Selection::InlineFragment(fragment) => {
                    (fragment.node.type_condition.as_ref(), &fragment.node.selection_set.node)
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = self.fragments.get(&spread.node.fragment_name.node)?;
                    (Some(&fragment.node.type_condition), &fragment.node.selection_set.node)
                }
            };
            if let (Some(of_type), Some(condition)) = (of_type, condition)
                && condition.node.on.node != of_type
            {
                return None;
            }
            // The library has applied `@skip` and `@include` before, and has removed them.
            if !selection.node.directives().is_empty() {
                return None;
            }
            Self { set, ..self }.collect(of_type, fields)?;
        }
        Some(())
    }

    fn of(self, field: &'a types::Field) -> Self {
        Self {
            set: &field.selection_set.node,
            ..self
        }
    }
}

/// The selected fields of a type, in the order of the response.
pub(super) struct Columns<R: Row>(Vec<Column<R>>);

struct Column<R: Row> {
    /// The key in the response, quoted and with its colon.
    key: String,
    content: Content<R>,
}

enum Content<R: Row> {
    TypeName,
    Field(R::Field),
}

impl<R: Row> Columns<R> {
    /// Plans the columns of a selection. `None` if the executor must resolve it.
    pub(super) fn of(selected: Selected<'_>) -> Option<Self> {
        let mut fields = Vec::new();
        selected.collect(Some(R::TYPE), &mut fields)?;
        let mut columns: Vec<Column<R>> = Vec::with_capacity(fields.len());
        for field in fields {
            if !field.arguments.is_empty() || !field.directives.is_empty() {
                return None;
            }
            // Keys are names: no character of them is escaped.
            let key = format!("\"{}\":", field.response_key().node);
            if columns.iter().any(|column| column.key == key) {
                return None;
            }
            let content = match field.name.node.as_str() {
                "__typename" => Content::TypeName,
                name => Content::Field(R::Field::named(name, selected.of(field))?),
            };
            columns.push(Column { key, content });
        }
        Some(Self(columns))
    }

    /// Returns the planned fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = &R::Field> {
        self.0.iter().filter_map(|column| match &column.content {
            Content::TypeName => None,
            Content::Field(field) => Some(field),
        })
    }

    /// Writes a row as an object.
    pub(super) fn write(&self, row: &R, related: &R::Related, json: &mut Json) {
        json.raw("{");
        for (n, column) in self.0.iter().enumerate() {
            json.raw(if n == 0 { "" } else { "," });
            json.raw(&column.key);
            match &column.content {
                Content::TypeName => json.text(R::TYPE),
                Content::Field(field) => row.write(field, related, json),
            }
        }
        json.raw("}");
    }
}

/// The columns of an object that can be read in two ways.
pub(super) enum Narrowest<N: Row, R: Row> {
    /// Columns that the narrow row has, which costs less to read.
    Narrow(Columns<N>),
    /// Columns of which the narrow row lacks some.
    Whole(Columns<R>),
}

impl<N: Row, R: Row> Narrowest<N, R> {
    /// Plans the columns of a selection. `None` if the executor must resolve it.
    pub(super) fn of(selected: Selected<'_>) -> Option<Self> {
        let narrow = Columns::of(selected).map(Self::Narrow);
        narrow.or_else(|| Columns::of(selected).map(Self::Whole))
    }
}

/// The JSON of a list while it is written.
#[derive(Default)]
pub(super) struct Json(Vec<u8>);

impl Json {
    fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    /// Writes any text.
    pub(super) fn text(&mut self, text: &str) {
        // Neither serializing a text nor writing to memory can fail.
        let _ = serde_json::to_writer(&mut self.0, text);
    }

    /// Writes a text of the server in which no character is escaped: an id, an instant, an amount.
    pub(super) fn plain(&mut self, text: impl Display) {
        let _ = write!(self.0, "\"{text}\"");
    }

    /// Writes null.
    pub(super) fn null(&mut self) {
        self.raw("null");
    }

    /// Writes a number.
    pub(super) fn number(&mut self, number: i32) {
        let _ = write!(self.0, "{number}");
    }

    /// Writes a value of an enum.
    pub(super) fn variant<E: EnumType>(&mut self, value: E) {
        match E::items().iter().find(|item| item.value == value) {
            Some(item) => self.plain(item.name),
            None => self.null(),
        }
    }

    /// Writes a value, or null if there is none.
    pub(super) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }
}

/// A list of rows: written directly where that is possible, and otherwise resolved by the executor.
pub(super) struct Rows<'a, R>(pub(super) Vec<&'a R>);

impl<R: Listed> Rows<'_, R> {
    async fn written(&self, ctx: &ContextSelectionSet<'_>) -> Option<Value> {
        let scope = ctx.data_opt::<Scope>()?;
        let columns = Columns::of(Selected {
            set: &ctx.item.node,
            fragments: &ctx.query_env.fragments,
        })?;
        if !is_selected_once(ctx) {
            return None;
        }
        let related = R::read(scope, &self.0, &columns).await?;
        let mut json = Json::default();
        json.raw("[");
        for (n, row) in self.0.iter().enumerate() {
            json.raw(if n == 0 { "" } else { "," });
            columns.write(row, &related, &mut json);
        }
        json.raw("]");
        Some(Value::Binary(json.0.into()))
    }
}

/// Returns whether the field of this selection, and each field around it, is selected once. The executor merges the values of a
/// field that is selected repeatedly, and it cannot merge bytes.
fn is_selected_once(ctx: &ContextSelectionSet<'_>) -> bool {
    let Some(path) = &ctx.path_node else { return false };
    let nodes = std::iter::once(path).chain(path.parents());
    let mut keys: Vec<&str> = nodes
        .filter_map(|node| match node.segment {
            QueryPathSegment::Name(key) => Some(key),
            QueryPathSegment::Index(_) => None,
        })
        .collect();
    keys.reverse();
    let mut selected = Selected {
        set: &ctx.query_env.operation.node.selection_set.node,
        fragments: &ctx.query_env.fragments,
    };
    let mut fields = Vec::new();
    for key in keys {
        fields.clear();
        if selected.collect(None, &mut fields).is_none() {
            return false;
        }
        let mut same = fields.iter().filter(|field| field.response_key().node == key);
        match (same.next(), same.next()) {
            (Some(field), None) => selected = selected.of(field),
            _ => return false,
        }
    }
    true
}

impl<R: Listed> OutputType for Rows<'_, R> {
    fn type_name() -> Cow<'static, str> {
        <Vec<&R>>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<&R>>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<&R>>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<types::Field>) -> ServerResult<Value> {
        match self.written(ctx).await {
            Some(written) => Ok(written),
            None => self.0.resolve(ctx, field).await,
        }
    }
}

/// Copies written rows into the JSON of a response.
struct WithRows;

impl Formatter for WithRows {
    fn write_byte_array<W: ?Sized + Write>(&mut self, writer: &mut W, rows: &[u8]) -> io::Result<()> {
        writer.write_all(rows)
    }
}

/// Converts a response, or a value that contains its data, to JSON. No other serializer knows written rows.
///
/// # Errors
///
/// If the value contains a map whose keys are not texts. No response does.
pub fn to_json(response: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut json = Vec::with_capacity(1_024);
    response.serialize(&mut Serializer::with_formatter(&mut json, WithRows))?;
    String::from_utf8(json).map_err(serde::ser::Error::custom)
}

#[cfg(test)]
pub(super) mod tests {
    use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
    use async_graphql::parser::{parse_query, parse_schema};

    use super::*;

    /// Returns the names of scalar and enum fields without arguments that the type does not write directly.
    pub(in crate::graphql) fn left_to_the_executor<R: Row>() -> Vec<String> {
        let schema = parse_schema(crate::graphql::sdl()).expect("a schema");
        let types = || {
            schema.definitions.iter().filter_map(|definition| match definition {
                TypeSystemDefinition::Type(definition) => Some(&definition.node),
                _ => None,
            })
        };
        let is_composite = |name: &str| {
            let found = types().find(|known| known.name.node == name);
            found.is_some_and(|known| !matches!(known.kind, TypeKind::Scalar | TypeKind::Enum(_)))
        };
        let row = types().find(|known| known.name.node == R::TYPE).expect("a type");
        let TypeKind::Object(object) = &row.kind else {
            panic!("{} is no object", R::TYPE)
        };
        let plain = object.fields.iter().map(|field| &field.node).filter(|field| {
            let named = field.ty.node.to_string();
            field.arguments.is_empty() && !is_composite(named.trim_matches(['[', ']', '!']))
        });
        let left = plain.filter(|field| {
            let document = parse_query(format!("{{ {} }}", field.name.node)).expect("a document");
            let (_, operation) = document.operations.iter().next().expect("an operation");
            let selected = Selected {
                set: &operation.node.selection_set.node,
                fragments: &document.fragments,
            };
            Columns::<R>::of(selected).is_none()
        });
        left.map(|field| field.name.node.to_string()).collect()
    }

    #[test]
    fn written_rows_are_copied_between_values() {
        let value = Value::List(vec![Value::from("a\"b"), Value::Binary("[{}]".into()), Value::Null]);
        assert_eq!(to_json(&value).expect("JSON"), r#"["a\"b",[{}],null]"#);
    }

    #[test]
    fn no_type_of_the_schema_has_binary_values() {
        assert!(!crate::graphql::sdl().contains("scalar Binary"));
    }
}
