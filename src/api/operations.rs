//! Documents → operations ready to run. A document that comes again is neither parsed nor validated again.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use juniper::{GraphQLError, Variables};
use quick_cache::Equivalent;
use quick_cache::sync::Cache;
use self_cell::self_cell;

use super::cost::{Cost, Excess};
use super::documents::TrustedDocuments;
use super::outcome::Problem;
use super::request::Document;
use super::schema::{Documents, Operation, Schema, Unfit};
use super::{DoorSettings, Limits};

/// A door's operations.
pub(super) struct Operations {
    documents: Arc<dyn Documents>,
    trusted: TrustedDocuments,
    limits: Limits,
    /// Only what is valid and within the limits of its document is in it.
    kept: Option<Cache<Key, Arc<Prepared>>>,
}

/// An operation ready to run, together with the text it borrows from.
pub(super) struct Prepared {
    cell: Cell,
    cost: Cost,
}

self_cell!(
    struct Cell {
        owner: Source,
        #[covariant]
        dependent: Borrowed,
    }
);

struct Source {
    documents: Arc<dyn Documents>,
    text: Arc<str>,
}

type Borrowed<'a> = Box<dyn Operation + 'a>;

impl Operations {
    /// Warns of trusted documents that can not be run: those of a frontend that is older or newer than the schema.
    pub(super) fn new(schema: Schema, settings: &DoorSettings, trusted: TrustedDocuments) -> Self {
        let limits = settings.limits.clone();
        let kept = (limits.kept > 0).then(|| Cache::new(limits.kept));
        let operations = Self { documents: schema.limited(settings), trusted, limits, kept };
        for (id, text) in operations.trusted.all() {
            match operations.documents.operation(text, None) {
                Ok(_) | Err(Unfit::Invalid(GraphQLError::MultipleOperationsProvided)) => {}
                Err(_) => {
                    tracing::warn!(id, "a trusted document is not valid in the schema, or over a limit")
                }
            }
        }
        operations
    }

    /// The operation `name` of a document, or its only one.
    pub(super) fn find(&self, document: &Document, name: Option<&str>) -> Result<Arc<Prepared>, Unfit> {
        let text = self.trusted.text(document).map_err(Unfit::Problem)?;
        if let Some(prepared) = self.kept.as_ref().and_then(|kept| kept.get(&Asked { text, name })) {
            return Ok(prepared);
        }
        let text = Arc::<str>::from(text);
        let source = Source { documents: Arc::clone(&self.documents), text: Arc::clone(&text) };
        let mut cost = Cost::default();
        let cell = Cell::try_new(source, |source| {
            let measured = source.documents.operation(&source.text, name)?;
            cost = measured.cost;
            Ok::<_, Unfit>(measured.operation)
        })?;
        let prepared = Arc::new(Prepared { cell, cost });
        if let Some(kept) = &self.kept {
            kept.insert(Key { text, name: name.map(Into::into) }, Arc::clone(&prepared));
        }
        Ok(prepared)
    }

    /// Whether the operation may be run with these variables.
    pub(super) fn affordable(&self, prepared: &Prepared, variables: &Variables) -> Result<(), Problem> {
        let most = self.limits.cost;
        if prepared.cost.with(variables) > most {
            return Err(Problem::Excess(Excess { limit: "cost", most, what: "fields" }));
        }
        Ok(())
    }
}

impl Prepared {
    pub(super) fn operation(&self) -> &dyn Operation {
        &**self.cell.borrow_dependent()
    }
}

/// What a kept operation is found by: the whole text, not a hash that another text may share.
#[derive(PartialEq, Eq)]
struct Key {
    text: Arc<str>,
    name: Option<Box<str>>,
}

struct Asked<'a> {
    text: &'a str,
    name: Option<&'a str>,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Asked { text: &self.text, name: self.name.as_deref() }.hash(state);
    }
}

impl Hash for Asked<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
        self.name.hash(state);
    }
}

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.text == *key.text && self.name == key.name.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn operations(kept: usize) -> Operations {
        // The public door as it is by default.
        let defaults: toml::Table = toml::from_str(include_str!("../../config/default.toml")).unwrap();
        let mut settings = DoorSettings::deserialize(defaults["public"].clone()).unwrap();
        settings.limits.kept = kept;
        Operations::new(crate::api::public::schema().into(), &settings, TrustedDocuments::default())
    }

    #[test]
    fn a_document_that_comes_again_is_the_operation_it_was() {
        let find = |operations: &Operations, text: &str, name| {
            operations.find(&Document::Text(text.to_owned()), name).unwrap()
        };
        let (text, keeping, forgetting) =
            ("query A { me { id } } query B { me { name } }", operations(8), operations(0));
        let first = find(&keeping, text, Some("A"));
        assert!(Arc::ptr_eq(&first, &find(&keeping, text, Some("A"))));
        assert!(
            !Arc::ptr_eq(&first, &find(&keeping, text, Some("B"))),
            "another operation of the same document"
        );
        let first = find(&forgetting, text, Some("A"));
        assert!(!Arc::ptr_eq(&first, &find(&forgetting, text, Some("A"))));
    }

    #[test]
    fn what_is_not_valid_is_not_kept_and_what_is_kept_is_bounded() {
        let operations = operations(8);
        assert!(operations.find(&Document::Text("{ nothing }".to_owned()), None).is_err());
        let kept = operations.kept.as_ref().unwrap();
        assert_eq!(kept.len(), 0);
        for i in 0..1_000 {
            operations.find(&Document::Text(format!("{{ a{i}: __typename }}")), None).unwrap();
        }
        assert!((1..=16).contains(&kept.len()), "{}", kept.len());
    }
}
