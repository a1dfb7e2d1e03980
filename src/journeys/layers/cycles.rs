//! Cycles in a graph of imports.

use std::collections::{BTreeMap, BTreeSet};

/// The imports of each node.
pub(super) type Graph = BTreeMap<String, BTreeSet<String>>;

/// One cycle in `graph`, as `a → b → a`, if there is any.
pub(super) fn find(graph: &Graph) -> Option<String> {
    let mut visited = BTreeSet::new();
    graph.keys().find_map(|node| walk(node, graph, &mut Vec::new(), &mut visited))
}

fn walk<'a>(
    node: &'a str,
    graph: &'a Graph,
    path: &mut Vec<&'a str>,
    visited: &mut BTreeSet<&'a str>,
) -> Option<String> {
    if let Some(start) = path.iter().position(|above| *above == node) {
        return Some(format!("{} → {node}", path[start..].join(" → ")));
    }
    if !visited.insert(node) {
        return None;
    }
    path.push(node);
    let cycle = graph.get(node).into_iter().flatten().find_map(|next| walk(next, graph, path, visited));
    path.pop();
    cycle
}
