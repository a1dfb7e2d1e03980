//! Documents → operations ready to run, with a cache: a repeated document is neither parsed nor validated again.

use std::sync::Arc;

use juniper::GraphQLError;
use quick_cache::Equivalent;
use quick_cache::sync::Cache;
use self_cell::self_cell;

use super::fields::Fields;
use super::request::{Document, GraphqlRequest};
use super::request_error::{PrepareError, RequestError};
use super::schema::{ExecutableSchema, Operation, Schema, ValidOperation};
use super::settings::{DoorSettings, Limits};
use super::trusted_documents::TrustedDocuments;

/// The operations of a door.
pub(super) struct Operations {
    schema: Arc<dyn ExecutableSchema>,
    trusted: Arc<TrustedDocuments>,
    limits: Limits,
    /// Holds valid operations within the limits of their document.
    cache: Option<Cache<CacheKey, Arc<PreparedOperation>>>,
}

self_cell!(
    /// An operation ready to run, together with the text that it borrows from.
    pub(super) struct PreparedOperation {
        owner: Source,
        #[covariant]
        dependent: ValidOperation,
    }
);

pub(super) struct Source {
    schema: Arc<dyn ExecutableSchema>,
    text: Arc<str>,
}

impl Operations {
    /// Warns of trusted documents that can't be run, because the frontend's release doesn't match the schema.
    pub(super) fn new(schema: Schema, settings: &DoorSettings, trusted: TrustedDocuments) -> Self {
        let schema = schema.limit(settings);
        for (id, text) in trusted.iter() {
            match schema.prepare(text, None, &settings.limits) {
                Ok(_) | Err(PrepareError::Invalid(GraphQLError::MultipleOperationsProvided)) => {}
                Err(_) => {
                    tracing::warn!(id, "a trusted document is not valid in the schema, or over a limit")
                }
            }
        }
        Self {
            schema,
            trusted: Arc::new(trusted),
            limits: settings.limits.clone(),
            cache: cache(&settings.limits),
        }
    }

    /// The same operations with other limits: `depth`, `tokens` and `fields` stay. Prepares each document anew.
    pub(super) fn with_limits(&self, limits: &Limits) -> Self {
        let (schema, trusted) = (Arc::clone(&self.schema), Arc::clone(&self.trusted));
        Self { schema, trusted, limits: limits.clone(), cache: cache(limits) }
    }

    /// Prepares the operation of a request. Fails if it is invalid, not allowed here, or exceeds a limit.
    pub(super) fn prepare(&self, request: &GraphqlRequest) -> Result<Arc<PreparedOperation>, PrepareError> {
        let operation = self.find(&request.document, request.operation_name.as_deref())?;
        let cost = &operation.borrow_dependent().cost;
        if cost.total(&request.variables) > self.limits.cost {
            return Err(RequestError::Cost(self.limits.cost).into());
        }
        if cost.has_null_condition(&request.variables) {
            return Err(RequestError::Parameter("The condition of @include or @skip is null.").into());
        }
        Ok(operation)
    }

    fn find(&self, document: &Document, name: Option<&str>) -> Result<Arc<PreparedOperation>, PrepareError> {
        let text = self.trusted.resolve(document)?;
        if let Some(operation) = self.cache.as_ref().and_then(|cache| cache.get(&CacheKeyRef { text, name }))
        {
            return Ok(operation);
        }
        let text = Arc::<str>::from(text);
        let source = Source { schema: Arc::clone(&self.schema), text: Arc::clone(&text) };
        let operation = PreparedOperation::try_new(source, |source| {
            source.schema.prepare(&source.text, name, &self.limits)
        })?;
        let operation = Arc::new(operation);
        if let Some(cache) = &self.cache {
            cache.insert(CacheKey { text, name: name.map(Into::into) }, Arc::clone(&operation));
        }
        Ok(operation)
    }
}

fn cache(limits: &Limits) -> Option<Cache<CacheKey, Arc<PreparedOperation>>> {
    (limits.kept > 0).then(|| Cache::new(limits.kept))
}

impl PreparedOperation {
    pub(super) fn operation(&self) -> &dyn Operation {
        &*self.borrow_dependent().operation
    }

    /// The fields that it selects.
    pub(super) fn fields(&self) -> Option<Fields> {
        self.borrow_dependent().cost.fields.clone()
    }

    /// Its name, if it has one.
    pub(super) fn name(&self) -> Option<&str> {
        self.borrow_dependent().cost.name.as_deref()
    }
}

/// The cache's key: the whole text, not a hash that another text could share.
#[derive(PartialEq, Eq, Hash)]
struct CacheKey {
    text: Arc<str>,
    name: Option<Box<str>>,
}

/// Looks up a [`CacheKey`] without allocating one. Has the same hash, as the same fields in the same order.
#[derive(Hash)]
struct CacheKeyRef<'a> {
    text: &'a str,
    name: Option<&'a str>,
}

impl Equivalent<CacheKey> for CacheKeyRef<'_> {
    fn equivalent(&self, key: &CacheKey) -> bool {
        *self.text == *key.text && self.name == key.name.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::api::request;

    fn operations(cached: usize) -> Operations {
        // The public door with the default settings.
        let defaults: toml::Table = toml::from_str(include_str!("../../config/default.toml")).unwrap();
        let mut settings = DoorSettings::deserialize(defaults["public"].clone()).unwrap();
        settings.limits.kept = cached;
        Operations::new(crate::api::public::schema().into(), &settings, TrustedDocuments::default())
    }

    #[test]
    fn a_repeated_document_gets_the_cached_operation() {
        let find = |operations: &Operations, text: &str, name| {
            operations.find(&Document::Text(text.to_owned()), name).unwrap()
        };
        let (text, cached, uncached) =
            ("query A { me { id } } query B { me { name } }", operations(8), operations(0));
        let first = find(&cached, text, Some("A"));
        assert!(Arc::ptr_eq(&first, &find(&cached, text, Some("A"))));
        assert!(
            !Arc::ptr_eq(&first, &find(&cached, text, Some("B"))),
            "another operation of the same document"
        );
        let first = find(&uncached, text, Some("A"));
        assert!(!Arc::ptr_eq(&first, &find(&uncached, text, Some("A"))));
    }

    #[test]
    fn an_operation_may_cost_as_much_as_the_limit() {
        let request = request::from_query("query=%7Bme%7Bid%20name%7D%7D").unwrap();
        let mut operations = operations(0);
        operations.limits.cost = 3;
        assert!(operations.prepare(&request).is_ok());
        operations.limits.cost = 2;
        let refused = operations.prepare(&request).err();
        assert!(matches!(refused, Some(PrepareError::Request(RequestError::Cost(2)))), "{refused:?}");
    }

    #[test]
    fn invalid_documents_are_not_cached_and_the_cache_is_bounded() {
        let operations = operations(8);
        assert!(operations.find(&Document::Text("{ nothing }".to_owned()), None).is_err());
        let cache = operations.cache.as_ref().unwrap();
        assert_eq!(cache.len(), 0);
        for i in 0..1_000 {
            operations.find(&Document::Text(format!("{{ a{i}: __typename }}")), None).unwrap();
        }
        assert!((1..=16).contains(&cache.len()), "{}", cache.len());
    }
}
