//! A schema that a door can serve: a juniper [`RootNode`] with its types erased.
//!
//! The endpoint, the WebSocket and the cache use trait objects, so they are compiled once, and a team's own schema is served by
//! the same code as ours.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt};
use juniper::{
    DefaultScalarValue, ExecutionError, GraphQLError, GraphQLSubscriptionType, GraphQLTypeAsync, Object,
    OperationType, RootNode, ScalarValue, ValidatedOperation, Value, ValuesStream, Variables,
};

use super::context::Context;
use super::cost::{self, Cost};
use super::introspection;
use super::request_error::PrepareError;
use super::settings::{DoorSettings, Limits};

/// A query or mutation root that a door can serve. juniper's macros implement it.
pub trait Root:
    GraphQLTypeAsync<DefaultScalarValue, Context = Context, TypeInfo = ()> + Send + 'static
{
}
impl<T: GraphQLTypeAsync<DefaultScalarValue, Context = Context, TypeInfo = ()> + Send + 'static> Root for T {}

/// A subscription root that a door can serve. juniper's macros implement it.
pub trait SubscriptionRoot:
    GraphQLSubscriptionType<DefaultScalarValue, Context = Context, TypeInfo = ()> + Send + 'static
{
}
impl<T> SubscriptionRoot for T where
    T: GraphQLSubscriptionType<DefaultScalarValue, Context = Context, TypeInfo = ()> + Send + 'static
{
}

/// A schema that a door can serve, ours or a team's own: made of juniper's root node. The door adds its limits and can turn
/// introspection off.
pub struct Schema(Box<dyn SchemaBuilder>);

impl Schema {
    /// A schema whose queries never wait: no `async fn` resolves a field that a query can select. They then run without
    /// juniper's futures, which cost several allocations a field. A query that selects an `async fn` all the same is a panic,
    /// and answered with status 500.
    pub fn synchronous<Q: Root, M: Root, S: SubscriptionRoot>(root: RootNode<Q, M, S>) -> Self {
        Self(Box::new(UnlimitedSchema { root, is_synchronous: true }))
    }

    /// The schema in GraphQL's schema definition language.
    pub fn sdl(&self) -> String {
        self.0.sdl()
    }

    /// Adds a door's limits.
    pub(super) fn limit(self, settings: &DoorSettings) -> Arc<dyn ExecutableSchema> {
        self.0.limit(settings)
    }
}

impl<Q: Root, M: Root, S: SubscriptionRoot> From<RootNode<Q, M, S>> for Schema {
    fn from(root: RootNode<Q, M, S>) -> Self {
        Self(Box::new(UnlimitedSchema { root, is_synchronous: false }))
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}

/// The result of an operation, or an event of a subscription. Fields may have errors.
pub(super) struct ExecutionOutput {
    pub(super) data: Value,
    pub(super) errors: Vec<ExecutionError<DefaultScalarValue>>,
}

impl ExecutionOutput {
    /// The code of the first error that has one of our form, such as `NOT_FOUND`.
    pub(super) fn code(&self) -> Option<&str> {
        self.errors.iter().find_map(code)
    }
}

fn code(error: &ExecutionError<DefaultScalarValue>) -> Option<&str> {
    let code = error.error().extensions().as_object_value()?.get_field_value("code")?;
    let is_code = |text: &&str| text.len() <= 40 && text.bytes().all(|c| c.is_ascii_uppercase() || c == b'_');
    code.as_scalar()?.try_as_str().filter(is_code)
}

/// The events of a subscription.
pub(super) type Events<'a> = Pin<Box<dyn Stream<Item = ExecutionOutput> + Send + 'a>>;

trait SchemaBuilder: Send + Sync {
    fn sdl(&self) -> String;
    fn limit(self: Box<Self>, settings: &DoorSettings) -> Arc<dyn ExecutableSchema>;
}

/// A schema with the limits of its door.
pub(super) trait ExecutableSchema: Send + Sync {
    /// Parses, measures and validates a document.
    fn prepare<'a>(
        &'a self,
        text: &'a str,
        name: Option<&str>,
        limits: &Limits,
    ) -> Result<ValidOperation<'a>, PrepareError>;
}

/// An operation that is valid in the schema and within the limits of its document, and its cost.
pub(super) struct ValidOperation<'a> {
    pub(super) operation: Box<dyn Operation + 'a>,
    pub(super) cost: Cost,
}

/// A validated operation, which can be executed many times.
pub(super) trait Operation: Send + Sync {
    fn kind(&self) -> OperationType;

    /// Executes a query or a mutation.
    fn execute<'a>(
        &'a self,
        variables: &'a Variables,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<ExecutionOutput, GraphQLError>>;

    /// Starts a subscription.
    fn subscribe<'a>(
        &'a self,
        variables: &'a Variables,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<SubscriptionStart<'a>, GraphQLError>>;
}

/// How a subscription starts.
pub(super) enum SubscriptionStart<'a> {
    Events(Events<'a>),
    /// Its resolver failed.
    Failed(ExecutionOutput),
}

struct UnlimitedSchema<Q: Root, M: Root, S: SubscriptionRoot> {
    root: RootNode<Q, M, S>,
    is_synchronous: bool,
}

impl<Q: Root, M: Root, S: SubscriptionRoot> SchemaBuilder for UnlimitedSchema<Q, M, S> {
    fn sdl(&self) -> String {
        self.root.as_sdl()
    }

    fn limit(self: Box<Self>, settings: &DoorSettings) -> Arc<dyn ExecutableSchema> {
        let limits = &settings.limits;
        // Before the limits, so that they don't apply to the standard introspection.
        let Self { root, is_synchronous } = *self;
        let max_introspection = introspection::max_size(&root.schema);
        let root = root.limit_depth(limits.depth).limit_tokens(limits.tokens).limit_fields(limits.fields);
        let root = if settings.introspection { root } else { root.disable_introspection() };
        Arc::new(LimitedSchema { root, is_synchronous, max_introspection })
    }
}

struct LimitedSchema<Q: Root, M: Root, S: SubscriptionRoot> {
    root: RootNode<Q, M, S>,
    is_synchronous: bool,
    max_introspection: u64,
}

impl<Q: Root, M: Root, S: SubscriptionRoot> ExecutableSchema for LimitedSchema<Q, M, S> {
    fn prepare<'a>(
        &'a self,
        text: &'a str,
        name: Option<&str>,
        limits: &Limits,
    ) -> Result<ValidOperation<'a>, PrepareError> {
        // The limits come first, so that a document over a limit isn't validated. juniper validates text only, so each
        // document is parsed twice, once in the cache's lifetime of it.
        let cost = cost::measure(text, name, &self.root.schema, limits, self.max_introspection)?;
        let operation = ValidatedOperation::new(text, name, &self.root).map_err(PrepareError::Invalid)?;
        let is_synchronous = self.is_synchronous && operation.operation_type() == OperationType::Query;
        Ok(ValidOperation { operation: Box::new(SchemaOperation { operation, is_synchronous }), cost })
    }
}

struct SchemaOperation<'a, Q: Root, M: Root, S: SubscriptionRoot> {
    operation: ValidatedOperation<'a, Q, M, S>,
    is_synchronous: bool,
}

impl<Q: Root, M: Root, S: SubscriptionRoot> Operation for SchemaOperation<'_, Q, M, S> {
    fn kind(&self) -> OperationType {
        self.operation.operation_type()
    }

    fn execute<'a>(
        &'a self,
        variables: &'a Variables,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<ExecutionOutput, GraphQLError>> {
        let output = |(data, errors)| ExecutionOutput { data, errors };
        if self.is_synchronous {
            return Box::pin(async move { self.operation.execute_sync(variables, context).map(output) });
        }
        Box::pin(async move { self.operation.execute(variables, context).await.map(output) })
    }

    fn subscribe<'a>(
        &'a self,
        variables: &'a Variables,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<SubscriptionStart<'a>, GraphQLError>> {
        Box::pin(async move {
            let (streams, errors) = self.operation.resolve_into_stream(variables, context).await?;
            Ok(match events(streams) {
                Some(events) if errors.is_empty() => SubscriptionStart::Events(events),
                _ => SubscriptionStart::Failed(ExecutionOutput { data: Value::null(), errors }),
            })
        })
    }
}

/// The events of a subscription's one root field (GraphQL §5.2.4.1; [`cost::measure`] enforces it).
fn events<'a>(streams: Value<ValuesStream<'a>>) -> Option<Events<'a>> {
    let Value::Object(fields) = streams else { return None };
    let (name, Value::Scalar(values)) = fields.into_iter().next()? else { return None };
    Some(Box::pin(values.map(move |value| {
        let (value, errors) = match value {
            Ok(value) => (value, Vec::new()),
            Err(errors) => (Value::null(), errors),
        };
        ExecutionOutput { data: Value::Object(Object::from_iter([(name.clone(), value)])), errors }
    })))
}
