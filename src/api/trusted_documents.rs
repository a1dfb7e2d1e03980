//! Trusted documents: the operations of a team's own frontends, listed in manifests when those are built. A request names one by
//! its id; a door can refuse all other documents.
//!
//! Reads the manifests of Relay (`persisted_queries.json`), Apollo (`generate-persisted-query-manifest`) and graphql-codegen's
//! client preset (`persisted-documents.json`).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::request::Document;
use super::request_error::RequestError;
use super::settings::DocumentSettings;

/// The trusted documents of one door.
#[derive(Debug, Clone, Default)]
pub struct TrustedDocuments {
    by_id: HashMap<String, Arc<str>>,
    texts: HashSet<Arc<str>>,
    /// Whether all other documents are refused.
    only: bool,
}

/// Why the trusted documents can't be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum ManifestError {
    #[error("cannot read {0}")]
    Unreadable(PathBuf, #[source] std::io::Error),
    #[error(
        "{0} is not a manifest: write an object of ids and documents, as Relay and graphql-codegen do, or Apollo's \
         persisted query manifest of version 1"
    )]
    Malformed(PathBuf),
    #[error("{0} gives the id {1} to another document than an earlier manifest; remove one of the two")]
    Ambiguous(PathBuf, String),
}

/// The formats of a manifest.
#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    Apollo { format: String, version: u64, operations: Vec<ApolloOperation> },
    Flat(BTreeMap<String, String>),
}

#[derive(Deserialize)]
struct ApolloOperation {
    id: String,
    body: String,
}

impl TrustedDocuments {
    /// Reads every `.json` file of the configured folder; none when no folder is configured. Blocks.
    pub fn read(settings: &DocumentSettings) -> Result<Self, ManifestError> {
        let mut documents = Self { only: settings.only, ..Self::default() };
        let Some(folder) = &settings.dir else { return Ok(documents) };
        let unreadable = |error| ManifestError::Unreadable(folder.clone(), error);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
        files.sort();
        for file in files {
            documents.add(&file)?;
        }
        Ok(documents)
    }

    fn add(&mut self, file: &Path) -> Result<(), ManifestError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| ManifestError::Unreadable(file.to_owned(), error))?;
        let documents = match serde_json::from_str(&text) {
            Ok(Manifest::Flat(documents)) => documents.into_iter().collect::<Vec<_>>(),
            Ok(Manifest::Apollo { format, version: 1, operations })
                if format == "apollo-persisted-query-manifest" =>
            {
                operations.into_iter().map(|ApolloOperation { id, body }| (id, body)).collect()
            }
            _ => return Err(ManifestError::Malformed(file.to_owned())),
        };
        for (id, text) in documents {
            let text = Arc::<str>::from(text);
            self.texts.insert(Arc::clone(&text));
            if self.by_id.get(&id).is_some_and(|other| *other != text) {
                return Err(ManifestError::Ambiguous(file.to_owned(), id));
            }
            self.by_id.insert(id, text);
        }
        Ok(())
    }

    /// All documents as id and text.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_id.iter().map(|(id, text)| (id.as_str(), &**text))
    }

    /// The text of a request's document. Fails for an unknown id, and for an untrusted text if only trusted ones are served.
    pub(super) fn resolve<'a>(&'a self, document: &'a Document) -> Result<&'a str, RequestError> {
        match document {
            Document::Text(text) if self.only && !self.texts.contains(text.as_str()) => {
                Err(RequestError::UntrustedDocument)
            }
            Document::Text(text) => Ok(text),
            Document::Id(_) if self.by_id.is_empty() => Err(RequestError::NoDocuments),
            Document::Id(id) => {
                // An id may have a prefix that names its hash (GraphQL over HTTP, draft appendix on persisted documents).
                let bare = id.strip_prefix("sha256:").unwrap_or(id);
                let text = self.by_id.get(id).or_else(|| self.by_id.get(bare));
                text.map(|text| &**text).ok_or(RequestError::UnknownDocument)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)], only: bool) -> Result<TrustedDocuments, ManifestError> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        TrustedDocuments::read(&DocumentSettings { dir: Some(dir.path().to_owned()), only })
    }

    const FLAT: &str = r#"{"a1": "{ me { id } }", "b2": "query B { me { name } }"}"#;
    const APOLLO: &str = r#"{"format": "apollo-persisted-query-manifest", "version": 1,
        "operations": [{"id": "c3", "name": "C", "type": "query", "body": "query C { me { email } }"}]}"#;

    #[test]
    fn documents_of_every_manifest_are_found_by_id() {
        let trusted =
            read(&[("relay.json", FLAT), ("apollo.json", APOLLO), ("notes.txt", "not read")], false).unwrap();
        for (id, text) in [
            ("a1", Ok("{ me { id } }")),
            ("sha256:b2", Ok("query B { me { name } }")),
            ("c3", Ok("query C { me { email } }")),
            ("d4", Err(RequestError::UnknownDocument)),
        ] {
            assert_eq!(trusted.resolve(&Document::Id(id.to_owned())), text, "{id}");
        }
        let other = Document::Text("{ __typename }".to_owned());
        assert_eq!(trusted.resolve(&other), Ok("{ __typename }"), "other documents are served too");
        assert_eq!(
            TrustedDocuments::default().resolve(&Document::Id("a1".to_owned())),
            Err(RequestError::NoDocuments)
        );
    }

    #[test]
    fn only_trusted_documents_are_served_when_the_door_says_so() {
        let trusted = read(&[("relay.json", FLAT)], true).unwrap();
        let ask = |text: &str| trusted.resolve(&Document::Text(text.to_owned())).map(drop);
        assert_eq!(ask("{ me { id } }"), Ok(()), "the text of a trusted document");
        assert_eq!(ask("{ me { id name } }"), Err(RequestError::UntrustedDocument));
    }

    #[test]
    fn the_error_names_the_file_that_is_not_a_manifest() {
        for bad in ["", "[]", r#"{"a1": 7}"#, r#"{"format": "other", "version": 1, "operations": []}"#] {
            let error = read(&[("broken.json", bad)], false).unwrap_err();
            assert!(
                matches!(&error, ManifestError::Malformed(_)) && error.to_string().contains("broken.json")
            );
        }
        let twice = read(&[("a.json", FLAT), ("b.json", r#"{"a1": "{ __typename }"}"#)], false);
        assert!(matches!(twice, Err(ManifestError::Ambiguous(_, id)) if id == "a1"));
        let missing = DocumentSettings { dir: Some("/nowhere/at/all".into()), only: false };
        assert!(matches!(TrustedDocuments::read(&missing), Err(ManifestError::Unreadable(..))));
    }
}
