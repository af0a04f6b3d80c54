//! The published schema: printed from the code, a superset of the contract, and completely described.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use graphql_parser::schema::{Definition, Field, InputValue, Type, TypeDefinition, parse_schema};

/// What the contract has and this version lacks: types, and `Type.field` or `Enum.VALUE`.
const STILL_TO_COME: &[&str] = &[];

/// A type of a schema, reduced to what clients rely on.
#[derive(Default)]
struct Shape {
    described: bool,
    kind: &'static str,
    interfaces: BTreeSet<String>,
    /// Fields, input fields and enum values by name.
    members: BTreeMap<String, Member>,
}

#[derive(Default)]
struct Member {
    described: bool,
    ty: String,
    default: Option<String>,
    arguments: BTreeMap<String, Member>,
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn shapes(sdl: &str) -> BTreeMap<String, Shape> {
    let document = parse_schema::<String>(sdl).expect("a schema");
    let mut shapes = BTreeMap::new();
    for definition in document.definitions {
        let Definition::TypeDefinition(definition) = definition else {
            continue;
        };
        let (name, shape) = shape(definition);
        assert!(shapes.insert(name.clone(), shape).is_none(), "{name} is defined twice");
    }
    shapes
}

fn shape(definition: TypeDefinition<'_, String>) -> (String, Shape) {
    match definition {
        TypeDefinition::Scalar(scalar) => (scalar.name, new_shape("scalar", scalar.description.as_ref())),
        TypeDefinition::Object(object) => {
            let mut shape = new_shape("type", object.description.as_ref());
            shape.interfaces = object.implements_interfaces.into_iter().collect();
            shape.members = object.fields.into_iter().map(field).collect();
            (object.name, shape)
        }
        TypeDefinition::Interface(interface) => {
            let mut shape = new_shape("interface", interface.description.as_ref());
            shape.members = interface.fields.into_iter().map(field).collect();
            (interface.name, shape)
        }
        TypeDefinition::Union(union) => (union.name, new_shape("union", union.description.as_ref())),
        TypeDefinition::Enum(of) => {
            let mut shape = new_shape("enum", of.description.as_ref());
            shape.members = of
                .values
                .into_iter()
                .map(|value| {
                    let described = value.description.is_some();
                    (
                        value.name,
                        Member {
                            described,
                            ..Member::default()
                        },
                    )
                })
                .collect();
            (of.name, shape)
        }
        TypeDefinition::InputObject(input) => {
            let mut shape = new_shape("input", input.description.as_ref());
            shape.members = input.fields.into_iter().map(input_value).collect();
            (input.name, shape)
        }
    }
}

fn new_shape(kind: &'static str, description: Option<&String>) -> Shape {
    Shape {
        kind,
        described: description.is_some(),
        ..Shape::default()
    }
}

fn field(field: Field<'_, String>) -> (String, Member) {
    let member = Member {
        described: field.description.is_some(),
        ty: field.field_type.to_string(),
        default: None,
        arguments: field.arguments.into_iter().map(input_value).collect(),
    };
    (field.name, member)
}

fn input_value(value: InputValue<'_, String>) -> (String, Member) {
    let member = Member {
        described: value.description.is_some(),
        ty: Type::to_string(&value.value_type),
        default: value.default_value.map(|default| default.to_string()),
        arguments: BTreeMap::new(),
    };
    (value.name, member)
}

fn contract() -> BTreeMap<String, Shape> {
    shapes(&fs::read_to_string(path("tests/contract.graphql")).expect("the contract"))
}

fn published() -> BTreeMap<String, Shape> {
    shapes(&ledgerbell::graphql::sdl())
}

fn is_still_to_come(name: &str) -> bool {
    STILL_TO_COME.contains(&name)
}

fn complain(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn schema_graphql_is_printed_from_the_code() {
    let printed = ledgerbell::graphql::sdl();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(path("schema.graphql"), &printed).expect("written");
    }
    let kept = fs::read_to_string(path("schema.graphql")).unwrap_or_default();
    assert!(
        kept == printed,
        "schema.graphql is not what the code prints; run the tests once with UPDATE_SCHEMA=1 and look at the difference"
    );
}

#[test]
fn the_schema_is_a_superset_of_the_contract() {
    let published = published();
    let mut complaints = Vec::new();
    for (name, wanted) in contract() {
        if is_still_to_come(&name) {
            continue;
        }
        match published.get(&name) {
            Some(given) => compare(&name, &wanted, given, &mut complaints),
            None => complaints.push(format!("{name} is missing")),
        }
    }
    complain(&complaints);
}

fn compare(name: &str, wanted: &Shape, given: &Shape, complaints: &mut Vec<String>) {
    if wanted.kind != given.kind {
        complaints.push(format!("{name} is a {}, not a {}", given.kind, wanted.kind));
    }
    for interface in wanted.interfaces.difference(&given.interfaces) {
        complaints.push(format!("{name} does not implement {interface}"));
    }
    for (member, wanted) in &wanted.members {
        let place = format!("{name}.{member}");
        let Some(given_member) = given.members.get(member) else {
            if !is_still_to_come(&place) {
                complaints.push(format!("{place} is missing"));
            }
            continue;
        };
        same(&place, wanted, given_member, complaints);
        for (argument, wanted) in &wanted.arguments {
            let place = format!("{place}({argument}:)");
            match given_member.arguments.get(argument) {
                Some(given) => same(&place, wanted, given, complaints),
                None => complaints.push(format!("{place} is missing")),
            }
        }
        let more = given_member.arguments.iter();
        for (argument, given) in more.filter(|(argument, _)| !wanted.arguments.contains_key(*argument)) {
            if given.ty.ends_with('!') && given.default.is_none() {
                complaints.push(format!("{place}({argument}:) is required and not in the contract"));
            }
        }
    }
    if wanted.kind == "input" {
        let more = given.members.iter();
        for (member, given) in more.filter(|(member, _)| !wanted.members.contains_key(*member)) {
            if given.ty.ends_with('!') && given.default.is_none() {
                complaints.push(format!("{name}.{member} is required and not in the contract"));
            }
        }
    }
}

fn same(place: &str, wanted: &Member, given: &Member, complaints: &mut Vec<String>) {
    if wanted.ty != given.ty {
        complaints.push(format!("{place} is {}, not {}", given.ty, wanted.ty));
    }
    if wanted.default.is_some() && wanted.default != given.default {
        complaints.push(format!(
            "{place} defaults to {:?}, not {:?}",
            given.default, wanted.default
        ));
    }
}

#[test]
fn nothing_that_exists_is_still_to_come() {
    let published = published();
    let contract = contract();
    let complaints: Vec<String> = STILL_TO_COME
        .iter()
        .filter_map(|name| {
            let (type_name, member) = name
                .split_once('.')
                .map_or((*name, None), |(ty, field)| (ty, Some(field)));
            let exists = |shapes: &BTreeMap<String, Shape>| {
                let shape = shapes.get(type_name);
                shape.is_some_and(|shape| member.is_none_or(|member| shape.members.contains_key(member)))
            };
            if exists(&published) {
                Some(format!("{name} has come: take it off the list"))
            } else if exists(&contract) {
                None
            } else {
                Some(format!("{name} is not in the contract"))
            }
        })
        .collect();
    complain(&complaints);
}

#[test]
fn everything_published_is_described() {
    let mut complaints = Vec::new();
    for (name, shape) in published() {
        if !shape.described {
            complaints.push(format!("{name} has no description"));
        }
        for (member, given) in &shape.members {
            if !given.described {
                complaints.push(format!("{name}.{member} has no description"));
            }
            for (argument, given) in &given.arguments {
                if !given.described {
                    complaints.push(format!("{name}.{member}({argument}:) has no description"));
                }
            }
        }
    }
    complain(&complaints);
}
