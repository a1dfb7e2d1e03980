//! What a script read of `event`, `user` or `context`: recorded member by member, shown in few lines.

use std::collections::BTreeSet;

/// The most paths recorded of a script.
pub(super) const PATHS: usize = 1000;
/// The most paths shown; beyond it, the members of the deepest objects become one path.
const SHOWN: usize = 30;
/// The most members of a path, and the most characters of a member.
const DEPTH: usize = 10;
const NAME: usize = 100;
/// In place of a member: all members of the object.
const ALL: &str = "*";

/// The paths that a script read. A path begins with the name of the object; `[]` is any element of an array.
#[derive(Default)]
pub(super) struct Reads(BTreeSet<Vec<String>>);

impl Reads {
    /// Adds a path, cut to its limits; returns whether it is new.
    pub(super) fn add(&mut self, path: &[String]) -> bool {
        let cut = path.iter().take(DEPTH).map(|name| name.chars().take(NAME).collect());
        self.0.len() < PATHS && self.0.insert(cut.collect())
    }

    /// The paths as JavaScript has them, in alphabetical order: `event.user.email`; `event.*` when it was read whole. Objects
    /// of which a member was read are left out.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut paths = self.0.clone();
        let mut depth = DEPTH;
        loop {
            paths = without_covered(&paths);
            if paths.len() <= SHOWN || depth < 2 {
                return paths.iter().map(|path| text(path)).collect();
            }
            depth -= 1;
            let shorten = |mut path: Vec<String>| {
                if path.len() > depth + 1 || (path.len() > depth && !ends_with_all(&path)) {
                    path.truncate(depth);
                    path.push(ALL.to_owned());
                }
                path
            };
            paths = paths.into_iter().map(shorten).collect();
        }
    }
}

/// The paths that no other one covers: neither the way to a member, nor a member of an object that was read whole.
fn without_covered(paths: &BTreeSet<Vec<String>>) -> BTreeSet<Vec<String>> {
    let whole: Vec<&[String]> =
        paths.iter().filter(|path| ends_with_all(path)).map(|path| parent(path)).collect();
    let is_within = |path: &Vec<String>| {
        whole.iter().any(|object| path.starts_with(object) && parent(path) != *object)
            || (!ends_with_all(path) && whole.contains(&parent(path)))
    };
    let mut kept = BTreeSet::new();
    let mut sorted = paths.iter().peekable();
    while let Some(path) = sorted.next() {
        // A longer path follows its beginning directly.
        let is_way = sorted.peek().is_some_and(|next| next.starts_with(path));
        if !is_way && !is_within(path) {
            kept.insert(path.clone());
        }
    }
    kept
}

fn ends_with_all(path: &[String]) -> bool {
    path.last().is_some_and(|name| name == ALL)
}

fn parent(path: &[String]) -> &[String] {
    path.split_last().map_or(path, |(_, parent)| parent)
}

/// A path as JavaScript has it.
pub(super) fn text(path: &[String]) -> String {
    let is_plain = |name: &str| {
        name == ALL
            || (!name.starts_with(|first: char| first.is_ascii_digit())
                && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$'))
    };
    let mut text = String::new();
    for name in path {
        match name.as_str() {
            name if text.is_empty() => text += name,
            "[]" => text += "[]",
            name if is_plain(name) && !name.is_empty() => text = text + "." + name,
            name => text += &format!("[{}]", serde_json::Value::from(name)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(paths: &[&str]) -> Reads {
        let mut reads = Reads::default();
        for path in paths {
            reads.add(&path.split(' ').map(str::to_owned).collect::<Vec<_>>());
        }
        reads
    }

    #[test]
    fn a_path_is_shown_once_and_without_the_way_to_it() {
        let reads = reads(&[
            "event user",
            "event user email",
            "event user email",
            "event user emails",
            "event user identities [] provider",
            "event user app_metadata https://ns/a",
            "event request",
        ]);
        let shown = [
            "event.request",
            "event.user.app_metadata[\"https://ns/a\"]",
            "event.user.email",
            "event.user.emails",
            "event.user.identities[].provider",
        ];
        assert_eq!(reads.paths(), shown);
    }

    #[test]
    fn what_was_read_whole_covers_its_members() {
        let paths =
            ["event user *", "event user email", "event user identities [] provider", "event users x"];
        assert_eq!(reads(&paths).paths(), ["event.user.*", "event.users.x"]);
        assert_eq!(reads(&["event *", "event user *", "event user email"]).paths(), ["event.*"]);
    }

    #[test]
    fn many_paths_become_few_from_the_deepest_on() {
        let mut reads = Reads::default();
        let path = |text: String| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for n in 0..2 * PATHS {
            reads.add(&path(format!("event user app_metadata k{n}")));
        }
        reads.add(&path("event client name".to_owned()));
        assert_eq!(reads.paths(), ["event.user.app_metadata.*"]);

        let mut reads = Reads::default();
        for n in 0..SHOWN {
            reads.add(&path(format!("context idToken k{n}")));
        }
        assert!(reads.add(&path("context stats loginsCount".to_owned())));
        assert!(!reads.add(&path("context stats loginsCount".to_owned())));
        assert_eq!(reads.paths(), ["context.idToken.*", "context.stats.*"]);
    }
}
