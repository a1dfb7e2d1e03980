//! What rules hand on to later rules: actions share neither `event` nor variables.

use std::collections::BTreeMap;

use oxc_semantic::NodeId;

use super::draft::Draft;
use super::globals::global_keys;
use super::source::{RuleFunction, Tree, Use, parameter};

/// What a rule leaves for others, and what it takes from them: names such as `user.groups`, with the place of one use.
#[derive(Default)]
pub(super) struct Shared {
    written: BTreeMap<String, NodeId>,
    read: BTreeMap<String, NodeId>,
    global: BTreeMap<String, NodeId>,
}

impl Shared {
    pub(super) fn of(tree: &Tree<'_>, function: &RuleFunction<'_>) -> Self {
        let mut shared = Self { global: global_keys(tree), ..Self::default() };
        for (index, root) in ["user", "context"].into_iter().enumerate() {
            let Some(symbol) = parameter(function.params, index) else { continue };
            for node in tree.references(symbol) {
                let chain = tree.chain(node);
                let Some(first) = chain.first() else { continue };
                let name = first.name.unwrap_or_default();
                let is_metadata = name == "app_metadata" || name == "user_metadata";
                let is_token = name == "idToken" || name == "accessToken";
                let is_written = |depth: usize| {
                    chain
                        .get(depth)
                        .is_some_and(|step| matches!(tree.use_of(step.node), Use::Assigned(_) | Use::Deleted))
                };
                let path = match (is_metadata, chain.get(1).and_then(|step| step.name)) {
                    (true, Some(key)) => format!("{root}.{name}.{key}"),
                    _ => format!("{root}.{name}"),
                };
                let depth = usize::from(is_metadata || is_token);
                // `context.idToken = context.idToken || {}` hands nothing on.
                if is_token && chain.len() == 1 {
                    continue;
                }
                let place = if is_written(depth) { &mut shared.written } else { &mut shared.read };
                place.entry(path).or_insert(node);
            }
        }
        shared
    }

    /// Finds what this rule shares with `other`, which runs before it or after it.
    pub(super) fn check(&self, draft: &mut Draft<'_, '_>, other: &Self, name: &str, is_earlier: bool) {
        let (ours, theirs) =
            if is_earlier { (&self.read, &other.written) } else { (&self.written, &other.read) };
        for (path, node) in ours.iter().filter(|(path, _)| theirs.contains_key(*path)) {
            let is_metadata = path.contains("_metadata");
            match (is_earlier, is_metadata) {
                (true, true) => draft.note(*node, format!("{path} is also set by the rule \"{name}\" before: an action sees it from the next login on")),
                (true, false) => draft.refuse(*node, format!("{path} was set by the rule \"{name}\" before: actions do not share it; make one rule of the two")),
                (false, true) => {}
                (false, false) => draft.refuse(*node, format!("{path} is read by the rule \"{name}\" later: actions do not share it; make one rule of the two")),
            }
        }
        for (key, node) in self.global.iter().filter(|(key, _)| other.global.contains_key(*key)) {
            draft.refuse(*node, format!("global.{key} is shared with the rule \"{name}\": actions have no common variables; use an action module or api.cache"));
        }
    }
}
