//! Trusted documents: the operations of a team's own frontends, written down when those are built. A request names one by its
//! id; where nothing else is served, what is not written down can not be asked.
//!
//! Manifests as Relay (`persisted_queries.json`), Apollo (`generate-persisted-query-manifest`) and graphql-codegen's client
//! preset (`persisted-documents.json`) write them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::outcome::Problem;
use super::request::Document;
use super::settings::Documents as Settings;

/// The trusted documents of one door.
#[derive(Debug, Clone, Default)]
pub struct TrustedDocuments {
    by_id: HashMap<String, Arc<str>>,
    texts: HashSet<Arc<str>>,
    /// Whether nothing else is served.
    only: bool,
}

/// Why trusted documents can not be had.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The folder or a file in it can not be read.
    #[error("{0} can not be read")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// A file is of no known form.
    #[error(
        "{0} is no manifest: neither an object of ids and documents, as Relay and graphql-codegen write, nor Apollo's \
         persisted query manifest of version 1"
    )]
    Malformed(PathBuf),
    /// Two documents have one id.
    #[error("{0} gives the id {1} to another document than a manifest before it; remove one of the two")]
    Ambiguous(PathBuf, String),
}

/// The forms of a manifest.
#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    Apollo { format: String, version: u64, operations: Vec<Listed> },
    Flat(BTreeMap<String, String>),
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    body: String,
}

impl TrustedDocuments {
    /// Reads every `.json` file of the configured folder; nothing, if none is configured. Blocks.
    ///
    /// # Errors
    /// When a file is no manifest, or two disagree.
    pub fn read(settings: &Settings) -> Result<Self, ManifestError> {
        let mut trusted = Self { only: settings.only, ..Self::default() };
        let Some(folder) = &settings.dir else { return Ok(trusted) };
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
            trusted.add(&file)?;
        }
        Ok(trusted)
    }

    fn add(&mut self, file: &Path) -> Result<(), ManifestError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| ManifestError::Unreadable(file.to_owned(), error))?;
        let documents = match serde_json::from_str(&text) {
            Ok(Manifest::Flat(documents)) => documents.into_iter().collect::<Vec<_>>(),
            Ok(Manifest::Apollo { format, version: 1, operations })
                if format == "apollo-persisted-query-manifest" =>
            {
                operations.into_iter().map(|Listed { id, body }| (id, body)).collect()
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

    /// All of them, each with its id.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_id.iter().map(|(id, text)| (id.as_str(), &**text))
    }

    /// The text that a request asks for, if it may.
    pub(super) fn text<'a>(&'a self, document: &'a Document) -> Result<&'a str, Problem> {
        match document {
            Document::Text(text) if self.only && !self.texts.contains(text.as_str()) => {
                Err(Problem::Untrusted)
            }
            Document::Text(text) => Ok(text),
            Document::Id(_) if self.by_id.is_empty() => Err(Problem::NoDocuments),
            Document::Id(id) => {
                // A documentId may tell how it was made (the draft appendix of GraphQL over HTTP on persisted documents).
                let bare = id.strip_prefix("sha256:").unwrap_or(id);
                let found = self.by_id.get(id).or_else(|| self.by_id.get(bare));
                found.map(|text| &**text).ok_or(Problem::UnknownDocument)
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
        TrustedDocuments::read(&Settings { dir: Some(dir.path().to_owned()), only })
    }

    const FLAT: &str = r#"{"a1": "{ me { id } }", "b2": "query B { me { name } }"}"#;
    const APOLLO: &str = r#"{"format": "apollo-persisted-query-manifest", "version": 1,
        "operations": [{"id": "c3", "name": "C", "type": "query", "body": "query C { me { email } }"}]}"#;

    #[test]
    fn documents_are_found_by_the_ids_of_any_manifest() {
        let trusted =
            read(&[("relay.json", FLAT), ("apollo.json", APOLLO), ("notes.txt", "not read")], false).unwrap();
        for (id, text) in [
            ("a1", Ok("{ me { id } }")),
            ("sha256:b2", Ok("query B { me { name } }")),
            ("c3", Ok("query C { me { email } }")),
            ("d4", Err(Problem::UnknownDocument)),
        ] {
            assert_eq!(trusted.text(&Document::Id(id.to_owned())), text, "{id}");
        }
        let other = Document::Text("{ __typename }".to_owned());
        assert_eq!(trusted.text(&other), Ok("{ __typename }"), "others are served too");
        assert_eq!(
            TrustedDocuments::default().text(&Document::Id("a1".to_owned())),
            Err(Problem::NoDocuments)
        );
    }

    #[test]
    fn where_only_they_are_served_others_are_not_whoever_asks() {
        let trusted = read(&[("relay.json", FLAT)], true).unwrap();
        let ask = |text: &str| trusted.text(&Document::Text(text.to_owned())).map(drop);
        assert_eq!(ask("{ me { id } }"), Ok(()), "written out, it is the same document");
        assert_eq!(ask("{ me { id name } }"), Err(Problem::Untrusted));
    }

    #[test]
    fn a_file_that_is_no_manifest_is_told_by_its_name() {
        for bad in ["", "[]", r#"{"a1": 7}"#, r#"{"format": "other", "version": 1, "operations": []}"#] {
            let error = read(&[("broken.json", bad)], false).unwrap_err();
            assert!(
                matches!(&error, ManifestError::Malformed(_)) && error.to_string().contains("broken.json")
            );
        }
        let twice = read(&[("a.json", FLAT), ("b.json", r#"{"a1": "{ __typename }"}"#)], false);
        assert!(matches!(twice, Err(ManifestError::Ambiguous(_, id)) if id == "a1"));
        let nowhere = Settings { dir: Some("/nowhere/at/all".into()), only: false };
        assert!(matches!(TrustedDocuments::read(&nowhere), Err(ManifestError::Unreadable(..))));
    }
}
