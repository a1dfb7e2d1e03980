//! A schema as a door takes it: a juniper [`RootNode`] whose types are nobody else's business.
//!
//! The endpoint, the WebSocket and the cache speak to a [`Schema`] and to the [`Operation`]s it gives, so they are compiled
//! once, and a team's own schema goes the same way as ours.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt};
use juniper::{
    DefaultScalarValue, ExecutionError, GraphQLError, GraphQLSubscriptionType, GraphQLTypeAsync, Object,
    OperationType, RootNode, ValidatedOperation, Value, ValuesStream, Variables,
};

use super::cost::{self, Cost};
use super::outcome::Problem;
use super::{Context, DoorSettings};

/// A root of queries or of mutations that a door can serve. What juniper's macros make is one.
pub trait Root:
    GraphQLTypeAsync<DefaultScalarValue, Context = Context, TypeInfo = ()> + Send + 'static
{
}
impl<T: GraphQLTypeAsync<DefaultScalarValue, Context = Context, TypeInfo = ()> + Send + 'static> Root for T {}

/// A root of subscriptions that a door can serve. What juniper's macros make is one.
pub trait SubscriptionRoot:
    GraphQLSubscriptionType<DefaultScalarValue, Context = Context, TypeInfo = ()> + Send + 'static
{
}
impl<T> SubscriptionRoot for T where
    T: GraphQLSubscriptionType<DefaultScalarValue, Context = Context, TypeInfo = ()> + Send + 'static
{
}

/// A schema that a door can serve: ours or a team's own.
pub struct Schema(Box<dyn Unlimited>);

impl Schema {
    /// Of juniper's root node. The door sets its limits and, where the settings say so, turns introspection off.
    pub fn new<Q: Root, M: Root, S: SubscriptionRoot>(root: RootNode<Q, M, S>) -> Self {
        Self(Box::new(root))
    }

    /// The schema as text, in GraphQL's schema definition language.
    pub fn sdl(&self) -> String {
        self.0.sdl()
    }

    /// With a door's limits.
    pub(super) fn limited(self, settings: &DoorSettings) -> Arc<dyn Documents> {
        self.0.limited(settings)
    }
}

impl<Q: Root, M: Root, S: SubscriptionRoot> From<RootNode<Q, M, S>> for Schema {
    fn from(root: RootNode<Q, M, S>) -> Self {
        Self::new(root)
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}

/// A result of an operation, or an event of a subscription: data, perhaps with errors in some fields.
pub(super) type Answer = (Value, Vec<ExecutionError<DefaultScalarValue>>);

/// The events of a subscription.
pub(super) type Events<'a> = Pin<Box<dyn Stream<Item = Answer> + Send + 'a>>;

/// Why a document gives no operation.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It is over a limit, or not allowed here.
    Problem(Problem),
    /// It can not be parsed, or is not valid in the schema.
    Invalid(GraphQLError),
}

trait Unlimited: Send + Sync {
    fn sdl(&self) -> String;
    fn limited(self: Box<Self>, settings: &DoorSettings) -> Arc<dyn Documents>;
}

/// Turns documents into operations.
pub(super) trait Documents: Send + Sync {
    /// Parses, measures and validates.
    fn operation<'a>(&'a self, text: &'a str, name: Option<&str>) -> Result<Measured<'a>, Unfit>;
}

/// An operation that is valid in the schema and within the limits of its document, and what it costs.
pub(super) struct Measured<'a> {
    pub(super) operation: Box<dyn Operation + 'a>,
    pub(super) cost: Cost,
}

/// An operation that can be run any number of times.
pub(super) trait Operation: Send + Sync {
    fn kind(&self) -> OperationType;

    /// Runs a query or a mutation.
    fn execute<'a>(
        &'a self,
        variables: &'a Variables,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Answer, GraphQLError>>;

    /// Begins a subscription.
    fn subscribe<'a>(
        &'a self,
        variables: &'a Variables,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Subscribed<'a>, GraphQLError>>;
}

/// How a subscription began.
pub(super) enum Subscribed<'a> {
    /// Events follow.
    Events(Events<'a>),
    /// Its resolver refused.
    Refused(Answer),
}

impl<Q: Root, M: Root, S: SubscriptionRoot> Unlimited for RootNode<Q, M, S> {
    fn sdl(&self) -> String {
        self.as_sdl()
    }

    fn limited(self: Box<Self>, settings: &DoorSettings) -> Arc<dyn Documents> {
        let limits = settings.limits.clone();
        let root = self.limit_depth(limits.depth).limit_tokens(limits.tokens).limit_fields(limits.fields);
        let root = if settings.introspection { root } else { root.disable_introspection() };
        Arc::new(Limited { root, limits })
    }
}

struct Limited<Q: Root, M: Root, S: SubscriptionRoot> {
    root: RootNode<Q, M, S>,
    limits: super::Limits,
}

impl<Q: Root, M: Root, S: SubscriptionRoot> Documents for Limited<Q, M, S> {
    fn operation<'a>(&'a self, text: &'a str, name: Option<&str>) -> Result<Measured<'a>, Unfit> {
        // Measured first: what is over a limit is not worth validating. juniper validates texts alone, so the document is
        // parsed twice; the cache makes that once in its life.
        let cost = cost::measure(text, name, &self.root.schema, &self.limits)?;
        let operation = ValidatedOperation::new(text, name, &self.root).map_err(Unfit::Invalid)?;
        Ok(Measured { operation: Box::new(operation), cost })
    }
}

impl<Q: Root, M: Root, S: SubscriptionRoot> Operation for ValidatedOperation<'_, Q, M, S> {
    fn kind(&self) -> OperationType {
        self.operation_type()
    }

    fn execute<'a>(
        &'a self,
        variables: &'a Variables,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Answer, GraphQLError>> {
        Box::pin(ValidatedOperation::execute(self, variables, context))
    }

    fn subscribe<'a>(
        &'a self,
        variables: &'a Variables,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Subscribed<'a>, GraphQLError>> {
        Box::pin(async move {
            let (streams, errors) = self.resolve_into_stream(variables, context).await?;
            Ok(match events(streams) {
                Some(events) if errors.is_empty() => Subscribed::Events(events),
                _ => Subscribed::Refused((Value::null(), errors)),
            })
        })
    }
}

/// The events of the one root field a subscription has (GraphQL §5.2.4.1; the measure holds it to that).
fn events<'a>(streams: Value<ValuesStream<'a>>) -> Option<Events<'a>> {
    let Value::Object(fields) = streams else { return None };
    let (name, Value::Scalar(values)) = fields.into_iter().next()? else { return None };
    Some(Box::pin(values.map(move |value| {
        let (value, errors) = match value {
            Ok(value) => (value, Vec::new()),
            Err(errors) => (Value::null(), errors),
        };
        (Value::Object(Object::from_iter([(name.clone(), value)])), errors)
    })))
}
