//! How an object differs from what it should be. Plans show it, and their application sends it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::desired::Desired;
use super::plan::SecretChange;
use super::secrets::SecretHashes;
use super::state::{ObjectKind, ScriptMembers, contains, secret_names};
use crate::bundle::Object;

/// The members of a script that its versions have, too.
pub(super) const VERSIONED: [&str; 4] = ["code", "dependencies", "runtime", "modules"];

/// The members that differ: not the name, secrets, what Auth0 sets, and of an object that is there what only its creation
/// takes.
pub(super) fn differing<'a>(
    kind: ObjectKind,
    wanted: &'a Object,
    is: Option<&'a Object>,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let fixed = if is.is_some() { kind.creation_only() } else { &[] };
    let is_compared = move |member: &str| {
        let apart = ["name", "secrets"].contains(&member);
        !apart && !kind.read_only().contains(&member) && !fixed.contains(&member)
    };
    wanted.iter().filter(move |(member, wanted)| {
        let one = |value: Option<&Value>| value.map_or(json!({}), |value| json!({ (*member): value }));
        let is = is.and_then(|is| is.get(*member));
        is_compared(member) && !contains(&one(is), &one(Some(wanted)))
    })
}

/// The secrets of a script that differ, and the names of those that have no value, neither here nor at the tenant.
pub(super) fn differing_secrets(
    desired: &Desired,
    hashes: &SecretHashes,
    (kind, name): (ObjectKind, &str),
    is: Option<&Object>,
) -> (BTreeMap<String, SecretChange>, Vec<String>) {
    let wanted = desired.secrets_of(kind, name);
    let has: Vec<&str> = is.into_iter().flat_map(secret_names).collect();
    let (mut changes, mut missing) = (BTreeMap::new(), Vec::new());
    for (secret, value) in wanted {
        let change = match value {
            None if has.contains(&secret.as_str()) => None,
            // It comes back with its version.
            None if desired.is_record => Some(SecretChange::Add),
            None => {
                missing.push(secret.clone());
                None
            }
            Some(_) if !has.contains(&secret.as_str()) => Some(SecretChange::Add),
            Some(value) => match hashes.compare(kind, name, secret, value) {
                None => Some(SecretChange::Set),
                Some(false) => Some(SecretChange::Change),
                Some(true) => None,
            },
        };
        changes.extend(change.map(|change| (secret.clone(), change)));
    }
    let removed = has.into_iter().filter(|name| !wanted.contains_key(*name));
    changes.extend(removed.map(|name| (name.to_owned(), SecretChange::Remove)));
    (changes, missing)
}

/// Whether the version of a script that runs is the wanted one, where any must run. With `exact_versions`, a recorded
/// version must be that very one: another can have other secrets.
pub(super) fn runs_as_wanted(
    desired: &Desired,
    (kind, members, name): (ObjectKind, &ScriptMembers, &str),
    wanted: &Object,
    is: &Object,
    exact_versions: bool,
) -> bool {
    let recorded = desired.version_of(kind, name);
    let must_run = if desired.is_record {
        recorded.is_some()
    } else {
        wanted.get(members.wanted) != Some(&json!(false))
    };
    let Some(version) = is.get(members.version).and_then(Value::as_object) else { return !must_run };
    let is_that = |id: &str| version.get("id").and_then(Value::as_str) == Some(id);
    if exact_versions && !recorded.is_none_or(is_that) {
        return false;
    }
    let source = wanted.get(members.version).and_then(Value::as_object).unwrap_or(wanted);
    let is_same = |member: &&str| match (version.get(*member), source.get(*member)) {
        (Some(is), Some(wanted)) => contains(is, wanted),
        _ => true,
    };
    !must_run || VERSIONED.iter().all(is_same)
}

/// Whether the draft of a script is the version that runs.
pub(super) fn draft_runs(members: &ScriptMembers, is: &Object) -> bool {
    let version = is.get(members.version).and_then(Value::as_object);
    let is_same = |version: &Object| version.get("code").is_none_or(|code| Some(code) == is.get("code"));
    is.get(members.is_current) != Some(&json!(false)) && version.is_some_and(is_same)
}
