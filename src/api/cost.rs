//! What an operation costs: aliases, directives, root fields, and a cost in which page sizes multiply. Measured before the
//! document is validated. juniper's parser counts depth, tokens and fields.
//!
//! A field costs 1. The selections of a field with `first` or `last` count once for each item of the requested page; those of
//! any other list count [`LIST_SIZE`] times. Page sizes may be variables, so the total of a [`Cost`] depends on them. The
//! lists of the introspection system have known lengths, so [`introspection`] counts them exactly, against a limit of their
//! own.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use juniper::meta::{Field, MetaType};
use juniper::parser::{ParseError, parse_document_source};
use juniper::{
    DefaultScalarValue, Definition, GraphQLError, InputValue, OperationType, ScalarValue as _, SchemaType,
    Selection, Variables,
};

use super::fields::Fields;
use super::introspection::{self, Arguments, Fragment};
use super::request_error::{PrepareError, RequestError};
use super::settings::Limits;

/// Assumed items of a list without a page size.
const LIST_SIZE: u64 = 10;

/// Assumed items of a page whose size neither the request nor the schema sets.
const PAGE_SIZE: u64 = 50;

/// The arguments that set a page's size (GraphQL Cursor Connections).
const SIZE_ARGUMENTS: [&str; 2] = ["first", "last"];

/// A cost whose page sizes may be variables.
#[derive(Debug, Clone, Default)]
pub(super) struct Cost {
    fixed: u64,
    pages: Vec<PageCost>,
    /// Nullable variables in the conditions of `@include` and `@skip`, and whether they are null by default.
    conditions: Vec<(String, bool)>,
    /// The operation's name.
    pub(super) name: Option<Box<str>>,
    pub(super) fields: Option<Fields>,
}

/// The cost of a page whose size depends on variables.
#[derive(Debug, Clone)]
struct PageCost {
    times: u64,
    size: PageSize,
    item: Arc<Cost>,
}

/// A page's size: the sum of its `first` and `last`, or else `default`.
#[derive(Debug, Clone, PartialEq)]
struct PageSize {
    literal: Option<u64>,
    /// Names of variables, with their defaults.
    variables: Vec<(String, Option<u64>)>,
    default: u64,
}

/// Measures the operation `name` of a document, or its first one, and checks it against the limits. `max_introspection` is the
/// limit of [`introspection::size`].
pub(super) fn measure(
    text: &str,
    name: Option<&str>,
    schema: &SchemaType<DefaultScalarValue>,
    limits: &Limits,
    max_introspection: u64,
) -> Result<Cost, PrepareError> {
    let document = parse_document_source(text, schema).map_err(|error| match parser_limit(&error.item) {
        Some(error) => error.into(),
        None => PrepareError::Invalid(GraphQLError::ParseError(error)),
    })?;
    let (mut operation, mut fragments) = (None, HashMap::new());
    for definition in &document {
        match definition {
            Definition::Fragment(fragment) => {
                let fragment = &fragment.item;
                let directives = count(fragment.directives.as_ref());
                let parts = (fragment.type_condition.item, directives, fragment.selection_set.as_slice());
                fragments.insert(fragment.name.item, parts);
            }
            // The token limit bounds the cost of validating the other operations.
            Definition::Operation(other) if operation.is_none() => {
                let matches = name.is_none() || other.item.name.as_ref().map(|name| name.item) == name;
                operation = matches.then_some(&other.item);
            }
            Definition::Operation(_) => {}
        }
    }
    // Validation reports a missing operation.
    let Some(operation) = operation else { return Ok(Cost::default()) };
    let root = match operation.operation_type {
        OperationType::Query => Some(schema.concrete_query_type()),
        OperationType::Mutation => schema.concrete_mutation_type(),
        OperationType::Subscription => schema.concrete_subscription_type(),
    };
    let mut directives = count(operation.directives.as_ref());
    let (mut defaults, mut nullable) = (HashMap::new(), HashMap::new());
    for (variable, definition) in operation.variables_definition.iter().flat_map(|all| &all.item.items) {
        directives += count(definition.directives.as_ref());
        let default = definition.default_value.as_ref().and_then(|value| item_count(&value.item));
        defaults.insert(variable.item, default);
        // juniper reports a null for a type that excludes it.
        if !definition.var_type.item.is_non_null() {
            let null_by_default = definition.default_value.as_ref().is_some_and(|value| value.item.is_null());
            nullable.insert(variable.item, null_by_default);
        }
    }
    let mut measurer = Measurer {
        schema,
        fragments,
        measured: HashMap::new(),
        open: HashSet::new(),
        is_cyclic: false,
        defaults,
        conditions: HashSet::new(),
        names: HashSet::new(),
    };
    let totals = measurer.selections(&operation.selection_set, root, Parent::Field);
    // Validation refuses a cycle.
    if measurer.is_cyclic {
        return Ok(Cost::default());
    }
    check("aliases", "aliases", totals.aliases, limits.aliases)?;
    check("directives", "directives", totals.directives.saturating_add(directives), limits.directives)?;
    check("root_fields", "root fields", totals.fields, limits.root_fields)?;
    let is_subscription = operation.operation_type == OperationType::Subscription;
    if is_subscription && (totals.fields != 1 || totals.has_introspection) {
        return Err(RequestError::SubscriptionRoot.into());
    }
    if totals.has_introspection
        && introspection::size(&operation.selection_set, &measurer.fragments, schema, max_introspection)
            > max_introspection
    {
        return Err(RequestError::Introspection(max_introspection).into());
    }
    let conditions = measurer
        .conditions
        .iter()
        .filter_map(|name| nullable.get(name).map(|null_by_default| ((*name).to_owned(), *null_by_default)));
    let name = operation.name.as_ref().map(|name| name.item.into());
    let fields = Some(measurer.names.iter().copied().collect());
    Ok(Cost { conditions: conditions.collect(), name, fields, ..totals.cost })
}

fn check(key: &'static str, unit: &'static str, count: u64, max: usize) -> Result<(), RequestError> {
    let max = max as u64;
    if count > max { Err(RequestError::LimitExceeded { key, max, unit }) } else { Ok(()) }
}

fn count<T>(items: Option<&Vec<T>>) -> u64 {
    items.map_or(0, Vec::len) as u64
}

/// The limit that juniper's parser found exceeded.
fn parser_limit(error: &ParseError) -> Option<RequestError> {
    let (key, unit, max) = match *error {
        ParseError::DepthLimitExceeded(max) => ("depth", "nested levels", max),
        ParseError::TokenLimitExceeded(max) => ("tokens", "tokens", max),
        ParseError::FieldLimitExceeded(max) => ("fields", "fields", max),
        _ => return None,
    };
    Some(RequestError::LimitExceeded { key, unit, max: max as u64 })
}

impl Cost {
    /// The total with these variables.
    pub(super) fn total(&self, variables: &Variables) -> u64 {
        self.pages.iter().fold(self.fixed, |sum, page| {
            let item = page.item.total(variables).saturating_mul(page.times);
            sum.saturating_add(item.saturating_mul(page.size.total(variables)))
        })
    }

    /// Whether a condition of `@include` or `@skip` is null with these variables: juniper 0.18 panics then.
    pub(super) fn has_null_condition(&self, variables: &Variables) -> bool {
        let is_null = |(name, by_default): &(String, bool)| {
            variables.get(name).map_or(*by_default, InputValue::is_null)
        };
        self.conditions.iter().any(is_null)
    }

    fn add(&mut self, other: Self) {
        self.fixed = self.fixed.saturating_add(other.fixed);
        self.pages.extend(other.pages);
    }

    /// Multiplies by the items of a page.
    fn per_item(self, size: PageSize) -> Self {
        if size.variables.is_empty() {
            return self.times(size.literal.unwrap_or(size.default));
        }
        let page = PageCost { times: 1, size, item: Arc::new(self) };
        Self { pages: vec![page], ..Self::default() }
    }

    fn times(mut self, times: u64) -> Self {
        self.fixed = self.fixed.saturating_mul(times);
        for page in &mut self.pages {
            page.times = page.times.saturating_mul(times);
        }
        self
    }
}

impl PageSize {
    fn total(&self, variables: &Variables) -> u64 {
        let sizes = self.variables.iter().filter_map(|(name, default)| match variables.get(name) {
            Some(value) => item_count(value),
            None => *default,
        });
        sizes.chain(self.literal).reduce(u64::saturating_add).unwrap_or(self.default)
    }
}

/// A page size. A negative one counts as 0; the resolver refuses it.
fn item_count(value: &InputValue) -> Option<u64> {
    let InputValue::Scalar(scalar) = value else { return None };
    scalar.try_to_int().map(|number| u64::try_from(number).unwrap_or(0))
}

/// The totals of a selection set, with its fragments expanded.
#[derive(Debug, Clone, Default)]
struct Totals {
    /// Fields on the set's own level.
    fields: u64,
    /// Whether one of them belongs to the introspection system.
    has_introspection: bool,
    aliases: u64,
    directives: u64,
    cost: Cost,
}

/// The field that a selection set belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Parent {
    /// A field with a page size: its items are counted already, so the lists inside it don't multiply.
    Page,
    /// Any other field: the lists inside it multiply.
    Field,
    /// A field of the introspection system, which is counted apart: nothing multiplies.
    Introspection,
}

struct Measurer<'d, 's> {
    schema: &'s SchemaType<DefaultScalarValue>,
    fragments: HashMap<&'d str, Fragment<'d>>,
    /// Each fragment is measured once, because a few hundred tokens can expand to billions of spreads.
    measured: HashMap<(&'d str, Parent), Totals>,
    /// Fragments being measured.
    open: HashSet<&'d str>,
    /// Whether a fragment spreads itself. Then measuring stops: the parser counts no fields beyond a cycle either, so
    /// the page sizes in it could multiply without a bound.
    is_cyclic: bool,
    /// The operation's variables, with their defaults.
    defaults: HashMap<&'d str, Option<u64>>,
    /// Variables in the conditions of `@include` and `@skip`.
    conditions: HashSet<&'d str>,
    /// The selected fields.
    names: HashSet<&'d str>,
}

impl<'d, 's> Measurer<'d, 's> {
    fn selections(
        &mut self,
        selections: &'d [Selection<'d>],
        on: Option<&'s MetaType>,
        parent: Parent,
    ) -> Totals {
        let mut totals = Totals::default();
        for selection in selections {
            if self.is_cyclic {
                return totals;
            }
            let (nested, directives) = match selection {
                Selection::Field(field) => {
                    let field = &field.item;
                    let arguments =
                        field.arguments.as_ref().map_or(&[][..], |arguments| &arguments.item.items);
                    let nested =
                        self.field(field.name.item, arguments, field.selection_set.as_deref(), on, parent);
                    totals.aliases = totals.aliases.saturating_add(field.alias.is_some().into());
                    let has_introspection = field.name.item.starts_with("__");
                    (Totals { fields: 1, has_introspection, ..nested }, &field.directives)
                }
                Selection::InlineFragment(fragment) => {
                    let fragment = &fragment.item;
                    let on = match &fragment.type_condition {
                        Some(name) => self.schema.concrete_type_by_name(name.item),
                        None => on,
                    };
                    (self.selections(&fragment.selection_set, on, parent), &fragment.directives)
                }
                Selection::FragmentSpread(spread) => {
                    (self.fragment(spread.item.name.item, parent), &spread.item.directives)
                }
            };
            totals.fields = totals.fields.saturating_add(nested.fields);
            totals.has_introspection |= nested.has_introspection;
            totals.aliases = totals.aliases.saturating_add(nested.aliases);
            self.conditions.extend(directives.iter().flatten().filter_map(|directive| {
                match &directive.item.arguments.as_ref()?.item.get("if")?.item {
                    InputValue::Variable(name) => Some(name.as_str()),
                    _ => None,
                }
            }));
            let directives = nested.directives.saturating_add(count(directives.as_ref()));
            totals.directives = totals.directives.saturating_add(directives);
            totals.cost.add(nested.cost);
        }
        totals
    }

    fn fragment(&mut self, name: &'d str, parent: Parent) -> Totals {
        if let Some(totals) = self.measured.get(&(name, parent)) {
            return totals.clone();
        }
        let Some(&(on, directives, selections)) = self.fragments.get(name) else { return Totals::default() };
        if !self.open.insert(name) {
            self.is_cyclic = true;
            return Totals::default();
        }
        let mut totals = self.selections(selections, self.schema.concrete_type_by_name(on), parent);
        totals.directives = totals.directives.saturating_add(directives);
        self.open.remove(name);
        self.measured.insert((name, parent), totals.clone());
        totals
    }

    fn field(
        &mut self,
        name: &'d str,
        arguments: &'d Arguments<'d>,
        selections: Option<&'d [Selection<'d>]>,
        on: Option<&'s MetaType>,
        parent: Parent,
    ) -> Totals {
        self.names.insert(name);
        let one = Cost { fixed: 1, ..Cost::default() };
        let Some(selections) = selections else { return Totals { cost: one, ..Totals::default() } };
        let is_introspection = parent == Parent::Introspection || name.starts_with("__");
        // Validation reports an unknown field.
        let field = on.and_then(|on| on.field_by_name(name)).filter(|_| !is_introspection);
        let size = field.and_then(|field| self.page_size(field, arguments));
        let nested_parent = match (is_introspection, &size) {
            (true, _) => Parent::Introspection,
            (false, Some(_)) => Parent::Page,
            (false, None) => Parent::Field,
        };
        let on = field.and_then(|field| self.schema.concrete_type_by_name(field.field_type.innermost_name()));
        let mut totals = self.selections(selections, on, nested_parent);
        totals.cost = match (size, field) {
            (Some(size), _) => totals.cost.per_item(size),
            (None, Some(field)) if parent == Parent::Field && self.is_list(field) => {
                totals.cost.times(LIST_SIZE)
            }
            _ => totals.cost,
        };
        totals.cost.add(one);
        totals
    }

    /// Unlike [`juniper::Type::is_list`], recognises `[T!]!`.
    fn is_list(&self, field: &Field<DefaultScalarValue>) -> bool {
        self.schema.make_type(&field.field_type).list_contents().is_some()
    }

    /// The page size that a field is given; `None` for a field without a page size.
    fn page_size(&self, field: &Field<DefaultScalarValue>, arguments: &Arguments<'_>) -> Option<PageSize> {
        let is_size = |name: &str| SIZE_ARGUMENTS.contains(&name);
        let mut sizes =
            field.arguments.iter().flatten().filter(|argument| is_size(&argument.name)).peekable();
        sizes.peek()?;
        let in_schema = sizes.filter_map(|argument| argument.default_value.as_ref().and_then(item_count));
        let default = in_schema.max().unwrap_or(PAGE_SIZE);
        let mut size = PageSize { literal: None, variables: Vec::new(), default };
        for (_, value) in arguments.iter().filter(|(name, _)| is_size(name.item)) {
            if let InputValue::Variable(variable) = &value.item {
                let default = self.defaults.get(variable.as_str()).copied().flatten();
                size.variables.push((variable.clone(), default));
            } else if let Some(items) = item_count(&value.item) {
                size.literal = Some(size.literal.unwrap_or(0).saturating_add(items));
            }
        }
        Some(size)
    }
}

#[cfg(test)]
#[path = "tests/cost.rs"]
mod tests;
