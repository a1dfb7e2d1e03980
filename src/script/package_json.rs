//! `package.json`, as far as finding a file needs it.

use std::fmt;
use std::path::Path;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A package's description. A member of another type than Node expects counts as absent.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct PackageJson {
    pub(super) name: Value,
    pub(super) main: Value,
    /// `module`: its `.js` files are ES modules.
    #[serde(rename = "type")]
    pub(super) kind: Value,
    pub(super) exports: Option<Target>,
    pub(super) imports: Option<Target>,
}

impl PackageJson {
    /// The description in a folder; `None` when there is none that can be read.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join("package.json")).ok()?).ok()
    }
}

/// What `exports` or `imports`, or one of their members, leads to.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Target {
    Path(String),
    /// The first that can be used counts.
    List(Vec<Target>),
    /// Subpaths or conditions.
    Members(Members),
    /// `null`: nothing.
    Nothing(IgnoredAny),
}

/// The members of an object in their order: the first condition that fits counts.
pub(super) struct Members(pub(super) Vec<(String, Target)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
