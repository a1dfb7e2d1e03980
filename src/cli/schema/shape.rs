//! A schema as far as its clients depend on it: names and types, without descriptions and order.

use std::collections::{BTreeMap, BTreeSet};

use graphql_parser::schema::{self as sdl, Definition, TypeDefinition};

/// Types and directives by name, and which types operations begin at.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Shape {
    pub(super) roots: BTreeMap<&'static str, String>,
    pub(super) types: BTreeMap<String, Type>,
    /// By name: their arguments, and where they may stand.
    pub(super) directives: BTreeMap<String, (BTreeMap<String, Input>, BTreeSet<String>)>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Type {
    Scalar,
    Object { fields: BTreeMap<String, Field>, interfaces: BTreeSet<String> },
    Interface { fields: BTreeMap<String, Field>, interfaces: BTreeSet<String> },
    Union(BTreeSet<String>),
    Enum(BTreeSet<String>),
    Input(BTreeMap<String, Input>),
}

/// A field that gives something.
#[derive(Debug, PartialEq)]
pub(super) struct Field {
    pub(super) gives: Of,
    pub(super) takes: BTreeMap<String, Input>,
}

/// An argument, or a field of an input.
#[derive(Debug, PartialEq)]
pub(super) struct Input {
    pub(super) takes: Of,
    pub(super) default: Option<String>,
}

/// What a field gives or takes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Of {
    Named(String),
    List(Box<Of>),
    NonNull(Box<Of>),
}

/// Why a text is no schema that can be compared.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum NoShape {
    #[error("it is not SDL")]
    Syntax(#[from] sdl::ParseError),
    #[error("it extends types; give the whole schema in one piece")]
    Extension,
}

impl Shape {
    /// Reads SDL.
    ///
    /// # Errors
    /// When it does not parse, or extends types instead of defining them.
    pub(super) fn read(text: &str) -> Result<Self, NoShape> {
        let mut shape = Self::default();
        let mut roots = None;
        for definition in sdl::parse_schema::<String>(text)?.definitions {
            match definition {
                Definition::SchemaDefinition(schema) => {
                    let named = [
                        ("query", schema.query),
                        ("mutation", schema.mutation),
                        ("subscription", schema.subscription),
                    ];
                    roots = Some(named.into_iter().filter_map(|(kind, name)| Some((kind, name?))).collect());
                }
                Definition::TypeDefinition(definition) => {
                    let (name, of) = type_of(definition);
                    shape.types.insert(name, of);
                }
                Definition::DirectiveDefinition(directive) => {
                    let places = directive.locations.iter().map(|place| place.as_str().to_owned()).collect();
                    shape.directives.insert(directive.name, (inputs(directive.arguments), places));
                }
                Definition::TypeExtension(_) => return Err(NoShape::Extension),
            }
        }
        // Without a schema definition the roots have their usual names.
        let usual = [("query", "Query"), ("mutation", "Mutation"), ("subscription", "Subscription")];
        shape.roots = roots.unwrap_or_else(|| {
            let there = usual.into_iter().filter(|(_, name)| shape.types.contains_key(*name));
            there.map(|(kind, name)| (kind, name.to_owned())).collect()
        });
        Ok(shape)
    }
}

impl Type {
    /// What kind of type, in the words of the specification.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Object { .. } => "object",
            Self::Interface { .. } => "interface",
            Self::Union(_) => "union",
            Self::Enum(_) => "enum",
            Self::Input(_) => "input object",
        }
    }
}

impl Input {
    /// Whether an operation that leaves it out is not valid.
    pub(super) fn is_required(&self) -> bool {
        matches!(self.takes, Of::NonNull(_)) && self.default.is_none()
    }
}

impl std::fmt::Display for Of {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::List(of) => write!(f, "[{of}]"),
            Self::NonNull(of) => write!(f, "{of}!"),
        }
    }
}

fn type_of(definition: TypeDefinition<'_, String>) -> (String, Type) {
    match definition {
        TypeDefinition::Scalar(scalar) => (scalar.name, Type::Scalar),
        TypeDefinition::Object(object) => {
            let interfaces = object.implements_interfaces.into_iter().collect();
            (object.name, Type::Object { fields: fields(object.fields), interfaces })
        }
        TypeDefinition::Interface(interface) => {
            let interfaces = interface.implements_interfaces.into_iter().collect();
            (interface.name, Type::Interface { fields: fields(interface.fields), interfaces })
        }
        TypeDefinition::Union(union) => (union.name, Type::Union(union.types.into_iter().collect())),
        TypeDefinition::Enum(of) => {
            (of.name, Type::Enum(of.values.into_iter().map(|value| value.name).collect()))
        }
        TypeDefinition::InputObject(input) => (input.name, Type::Input(inputs(input.fields))),
    }
}

fn fields(fields: Vec<sdl::Field<'_, String>>) -> BTreeMap<String, Field> {
    let field = |field: sdl::Field<'_, String>| {
        (field.name, Field { gives: of(&field.field_type), takes: inputs(field.arguments) })
    };
    fields.into_iter().map(field).collect()
}

fn inputs(inputs: Vec<sdl::InputValue<'_, String>>) -> BTreeMap<String, Input> {
    let input = |input: sdl::InputValue<'_, String>| {
        let default = input.default_value.map(|value| value.to_string());
        (input.name, Input { takes: of(&input.value_type), default })
    };
    inputs.into_iter().map(input).collect()
}

fn of(written: &sdl::Type<'_, String>) -> Of {
    match written {
        sdl::Type::NamedType(name) => Of::Named(name.clone()),
        sdl::Type::ListType(inner) => Of::List(Box::new(of(inner))),
        sdl::Type::NonNullType(inner) => Of::NonNull(Box::new(of(inner))),
    }
}
