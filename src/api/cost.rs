//! What an operation costs, measured on its document before that is validated: aliases, directives, root fields, and a cost
//! in which page sizes multiply. Depth, tokens and fields are counted by juniper's parser.
//!
//! A field costs 1. What is selected inside a field with `first` or `last` counts once for each item of the page that it
//! asks for; inside any other list, [`LIST`] times. Page sizes may be variables, so a [`Cost`] is a number once the variables
//! are known.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use juniper::meta::{Field, MetaType};
use juniper::parser::{ParseError, parse_document_source};
use juniper::{
    Definition, GraphQLError, InputValue, OperationType, ScalarValue as _, SchemaType, Selection, Variables,
};

use super::Limits;
use super::outcome::Problem;
use super::schema::Unfit;

/// Items that a list without a page size is taken to hold.
const LIST: u64 = 10;

/// Items of a page whose size neither the request nor the schema tells.
const PAGE: u64 = 50;

/// The arguments that tell a page's size (GraphQL Cursor Connections).
const SIZES: [&str; 2] = ["first", "last"];

/// A limit of the settings that a document or its operation is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Excess {
    /// The limit's key in `limits`.
    pub(super) limit: &'static str,
    /// What it allows.
    pub(super) most: u64,
    /// What there is too much of.
    pub(super) what: &'static str,
}

/// A cost with its page sizes left open.
#[derive(Debug, Clone, Default)]
pub(super) struct Cost {
    known: u64,
    pages: Vec<Pages>,
}

/// What costs as often as a page has items.
#[derive(Debug, Clone)]
struct Pages {
    times: u64,
    size: Size,
    each: Arc<Cost>,
}

/// A page's size: the sum of what `first` and `last` say, or else `otherwise`.
#[derive(Debug, Clone, PartialEq)]
struct Size {
    known: Option<u64>,
    variables: Vec<(String, Option<u64>)>,
    otherwise: u64,
}

/// Measures the operation `name` of a document.
///
/// # Errors
/// When it is over a limit, or can not be parsed.
pub(super) fn measure(
    text: &str,
    name: Option<&str>,
    schema: &SchemaType<juniper::DefaultScalarValue>,
    limits: &Limits,
) -> Result<Cost, Unfit> {
    let document = parse_document_source(text, schema).map_err(|error| match over(&error.item) {
        Some(excess) => Unfit::Problem(Problem::Excess(excess)),
        None => Unfit::Invalid(GraphQLError::ParseError(error)),
    })?;
    let mut fragments = HashMap::new();
    for definition in &document {
        if let Definition::Fragment(fragment) = definition {
            let fragment = &fragment.item;
            let directives = fragment.directives.as_ref().map_or(0, Vec::len) as u64;
            fragments.insert(
                fragment.name.item,
                (fragment.type_condition.item, directives, fragment.selection_set.as_slice()),
            );
        }
    }
    // The one that runs; the work that others cause is bounded by the tokens of the document.
    let operation = document.iter().find_map(|definition| match definition {
        Definition::Operation(operation)
            if name.is_none() || operation.item.name.as_ref().map(|name| name.item) == name =>
        {
            Some(&operation.item)
        }
        _ => None,
    });
    // Validation tells of an operation that is not there.
    let Some(operation) = operation else { return Ok(Cost::default()) };
    let root = match operation.operation_type {
        OperationType::Query => Some(schema.concrete_query_type()),
        OperationType::Mutation => schema.concrete_mutation_type(),
        OperationType::Subscription => schema.concrete_subscription_type(),
    };
    let mut directives = operation.directives.as_ref().map_or(0, Vec::len);
    let mut defaults = HashMap::new();
    for (variable, definition) in
        operation.variables_definition.iter().flat_map(|definitions| &definitions.item.items)
    {
        directives += definition.directives.as_ref().map_or(0, Vec::len);
        let default = definition.default_value.as_ref().and_then(|value| count(&value.item));
        defaults.insert(variable.item, default);
    }
    let mut measuring = Measuring {
        schema,
        fragments,
        measured: HashMap::new(),
        open: HashSet::new(),
        cyclic: false,
        defaults,
    };
    let found = measuring.selections(&operation.selection_set, root, Inside::List);
    // Validation refuses it.
    if measuring.cyclic {
        return Ok(Cost::default());
    }
    within("aliases", "aliases", found.aliases, limits.aliases)?;
    let directives = found.directives.saturating_add(directives as u64);
    within("directives", "directives", directives, limits.directives)?;
    within("root_fields", "root fields", found.fields, limits.root_fields)?;
    if operation.operation_type == OperationType::Subscription && (found.fields != 1 || found.introspects) {
        return Err(Unfit::Problem(Problem::SubscriptionRoot));
    }
    Ok(found.cost)
}

fn within(limit: &'static str, what: &'static str, found: u64, most: usize) -> Result<(), Unfit> {
    let most = most as u64;
    if found > most { Err(Unfit::Problem(Problem::Excess(Excess { limit, most, what }))) } else { Ok(()) }
}

/// The limits that juniper's parser holds, in our words.
fn over(error: &ParseError) -> Option<Excess> {
    let excess = |limit, what, most: usize| Some(Excess { limit, what, most: most as u64 });
    match *error {
        ParseError::DepthLimitExceeded(most) => excess("depth", "nested levels", most),
        ParseError::TokenLimitExceeded(most) => excess("tokens", "tokens", most),
        ParseError::FieldLimitExceeded(most) => excess("fields", "fields", most),
        _ => None,
    }
}

impl Cost {
    /// The cost with these variables.
    pub(super) fn with(&self, variables: &Variables) -> u64 {
        self.pages.iter().fold(self.known, |sum, pages| {
            let each = pages.each.with(variables).saturating_mul(pages.times);
            sum.saturating_add(each.saturating_mul(pages.size.with(variables)))
        })
    }

    fn add(&mut self, other: Self) {
        self.known = self.known.saturating_add(other.known);
        self.pages.extend(other.pages);
    }

    /// As often as a page has items.
    fn paged(self, size: Size) -> Self {
        if size.variables.is_empty() {
            return self.times(size.known.unwrap_or(size.otherwise));
        }
        Self { known: 0, pages: vec![Pages { times: 1, size, each: Arc::new(self) }] }
    }

    fn times(mut self, times: u64) -> Self {
        self.known = self.known.saturating_mul(times);
        for pages in &mut self.pages {
            pages.times = pages.times.saturating_mul(times);
        }
        self
    }
}

impl Size {
    fn with(&self, variables: &Variables) -> u64 {
        let told = self.variables.iter().filter_map(|(name, default)| match variables.get(name) {
            Some(value) => count(value),
            None => *default,
        });
        told.chain(self.known).reduce(u64::saturating_add).unwrap_or(self.otherwise)
    }
}

/// A number of items, if it is one. Less than none is none: the resolver refuses it.
fn count(value: &InputValue) -> Option<u64> {
    let InputValue::Scalar(scalar) = value else { return None };
    scalar.try_to_int().map(|number| u64::try_from(number).unwrap_or(0))
}

/// What a selection set was found to hold, fragments expanded.
#[derive(Debug, Clone, Default)]
struct Found {
    /// Fields at its own level.
    fields: u64,
    /// Whether one of them is of the introspection system.
    introspects: bool,
    aliases: u64,
    directives: u64,
    cost: Cost,
}

/// Where a selection set stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Inside {
    /// A field whose items are counted already: its lists are the page itself.
    Page,
    /// Anything else: a list multiplies.
    List,
    /// The schema's own description, which has its own switch: nothing multiplies.
    Introspection,
}

/// A fragment's type, directives and selections.
type Fragment<'d> = (&'d str, u64, &'d [Selection<'d>]);

struct Measuring<'d, 's> {
    schema: &'s SchemaType<juniper::DefaultScalarValue>,
    fragments: HashMap<&'d str, Fragment<'d>>,
    /// Each is measured once, however often it is spread: a few hundred tokens can expand to billions of spreads.
    measured: HashMap<(&'d str, Inside), Found>,
    /// Those being measured.
    open: HashSet<&'d str>,
    /// Whether one of them spreads itself. Then nothing more is measured: the parser, too, counts no field beyond a
    /// cycle, so that nothing bounds how often the pages of such fragments multiply.
    cyclic: bool,
    /// Variables of the operation, with their defaults.
    defaults: HashMap<&'d str, Option<u64>>,
}

impl<'d, 's> Measuring<'d, 's> {
    fn selections(
        &mut self,
        selections: &'d [Selection<'d>],
        on: Option<&'s MetaType>,
        inside: Inside,
    ) -> Found {
        let mut found = Found::default();
        for selection in selections {
            if self.cyclic {
                return found;
            }
            let (nested, directives) = match selection {
                Selection::Field(field) => {
                    let field = &field.item;
                    found.fields += 1;
                    found.introspects |= field.name.item.starts_with("__");
                    found.aliases += u64::from(field.alias.is_some());
                    let nested = self.field(
                        field.name.item,
                        field.arguments.as_ref().map_or(&[][..], |arguments| &arguments.item.items),
                        field.selection_set.as_deref(),
                        on,
                        inside,
                    );
                    (Found { fields: 0, introspects: false, ..nested }, &field.directives)
                }
                Selection::InlineFragment(fragment) => {
                    let fragment = &fragment.item;
                    let on = match &fragment.type_condition {
                        Some(name) => self.schema.concrete_type_by_name(name.item),
                        None => on,
                    };
                    (self.selections(&fragment.selection_set, on, inside), &fragment.directives)
                }
                Selection::FragmentSpread(spread) => {
                    (self.fragment(spread.item.name.item, inside), &spread.item.directives)
                }
            };
            found.fields = found.fields.saturating_add(nested.fields);
            found.introspects |= nested.introspects;
            found.aliases = found.aliases.saturating_add(nested.aliases);
            found.directives = found
                .directives
                .saturating_add(nested.directives)
                .saturating_add(directives.as_ref().map_or(0, Vec::len) as u64);
            found.cost.add(nested.cost);
        }
        found
    }

    fn fragment(&mut self, name: &'d str, inside: Inside) -> Found {
        if let Some(found) = self.measured.get(&(name, inside)) {
            return found.clone();
        }
        let Some(&(on, directives, selections)) = self.fragments.get(name) else { return Found::default() };
        if !self.open.insert(name) {
            self.cyclic = true;
            return Found::default();
        }
        let mut found = self.selections(selections, self.schema.concrete_type_by_name(on), inside);
        found.directives = found.directives.saturating_add(directives);
        self.open.remove(name);
        self.measured.insert((name, inside), found.clone());
        found
    }

    fn field(
        &mut self,
        name: &'d str,
        arguments: &'d [(juniper::Spanning<&'d str>, juniper::Spanning<InputValue>)],
        selections: Option<&'d [Selection<'d>]>,
        on: Option<&'s MetaType>,
        inside: Inside,
    ) -> Found {
        let one = Cost { known: 1, pages: Vec::new() };
        let Some(selections) = selections else { return Found { cost: one, ..Found::default() } };
        let introspection = inside == Inside::Introspection || name.starts_with("__");
        // A field that is not there is told of by validation.
        let field = on.and_then(|on| on.field_by_name(name)).filter(|_| !introspection);
        let size = field.and_then(|field| self.size(field, arguments));
        let nested_inside = match (introspection, &size) {
            (true, _) => Inside::Introspection,
            (false, Some(_)) => Inside::Page,
            (false, None) => Inside::List,
        };
        let on = field.and_then(|field| self.schema.concrete_type_by_name(field.field_type.innermost_name()));
        let mut found = self.selections(selections, on, nested_inside);
        found.cost = match (size, field) {
            (Some(size), _) => found.cost.paged(size),
            (None, Some(field)) if inside == Inside::List && self.is_list(field) => found.cost.times(LIST),
            _ => found.cost,
        };
        found.cost.add(one);
        found
    }

    /// Not [`juniper::Type::is_list`], which says no to `[T!]!`.
    fn is_list(&self, field: &Field<juniper::DefaultScalarValue>) -> bool {
        self.schema.make_type(&field.field_type).list_contents().is_some()
    }

    /// The page that a field asks for, if it is one that gives pages.
    fn size(
        &self,
        field: &Field<juniper::DefaultScalarValue>,
        arguments: &[(juniper::Spanning<&str>, juniper::Spanning<InputValue>)],
    ) -> Option<Size> {
        let paging: Vec<_> = field
            .arguments
            .iter()
            .flatten()
            .filter(|argument| SIZES.contains(&argument.name.as_str()))
            .collect();
        if paging.is_empty() {
            return None;
        }
        let in_schema = paging.iter().filter_map(|argument| argument.default_value.as_ref().and_then(count));
        let mut size =
            Size { known: None, variables: Vec::new(), otherwise: in_schema.max().unwrap_or(PAGE) };
        for (name, value) in arguments {
            if !SIZES.contains(&name.item) {
                continue;
            }
            match &value.item {
                InputValue::Variable(variable) => {
                    let default = self.defaults.get(variable.as_str()).copied().flatten();
                    size.variables.push((variable.clone(), default));
                }
                value => {
                    if let Some(items) = count(value) {
                        size.known = Some(size.known.unwrap_or(0).saturating_add(items));
                    }
                }
            }
        }
        Some(size)
    }
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
