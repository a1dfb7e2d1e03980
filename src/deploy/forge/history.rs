//! The last commits of a branch: whether a commit is on it, and which of two is older.

use std::collections::{HashMap, HashSet};

/// How many commits of a branch are fetched, without their files.
pub(super) const COMMITS_MAX: usize = 1000;

/// The last commits of a branch, each with its parents.
#[derive(Debug, Default)]
pub struct History {
    parents: HashMap<String, Vec<String>>,
}

impl History {
    /// Reads the output of `git rev-list --parents`: a commit and its parents in each line.
    pub(super) fn parse(listing: &str) -> Self {
        let commit = |line: &str| {
            let mut ids = line.split_ascii_whitespace().map(str::to_owned);
            Some((ids.next()?, ids.collect()))
        };
        Self { parents: listing.lines().filter_map(commit).collect() }
    }

    /// Whether the branch has the commit.
    pub fn contains(&self, commit: &str) -> bool {
        self.parents.contains_key(commit)
    }

    /// The position of the newest of some commits, which are in the order in which they were pushed, as far as that is known:
    /// the last one, unless it is older than another. `None` without commits.
    pub fn newest(&self, commits: &[&str]) -> Option<usize> {
        let all = commits.iter().enumerate().rev();
        all.reduce(|(newest, best), (position, commit)| match self.is_older(best, commit) {
            true => (position, commit),
            false => (newest, best),
        })
        .map(|(position, _)| position)
    }

    /// Whether `commit` comes before `other`: it is one of its ancestors. A commit that is no longer on the branch is
    /// neither older nor newer than others.
    pub fn is_older(&self, commit: &str, other: &str) -> bool {
        let (mut seen, mut next) = (HashSet::new(), vec![other]);
        while let Some(id) = next.pop() {
            for parent in self.parents.get(id).into_iter().flatten() {
                if parent == commit {
                    return true;
                }
                if seen.insert(parent.as_str()) {
                    next.push(parent);
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> String {
        digit.to_string().repeat(40)
    }

    #[test]
    fn ancestors_are_older_over_merges_too() {
        // a ← b ← d ← e, and a ← c ← d
        let line = |ids: &str| ids.chars().map(id).collect::<Vec<_>>().join(" ");
        let listing = ["ed", "dbc", "cba", "ba", "a"].map(line).join("\n").replace(&line("cba"), &line("ca"));
        let history = History::parse(&listing);
        for (older, newer) in [('a', 'e'), ('b', 'e'), ('c', 'e'), ('d', 'e'), ('a', 'c')] {
            assert!(history.is_older(&id(older), &id(newer)), "{older} {newer}");
            assert!(!history.is_older(&id(newer), &id(older)), "{newer} {older}");
        }
        for (one, other) in [('b', 'c'), ('a', 'a'), ('f', 'e'), ('e', 'f')] {
            assert!(!history.is_older(&id(one), &id(other)), "{one} {other}");
        }
        assert!(history.contains(&id('a')) && !history.contains(&id('f')));
        for (commits, newest) in
            [("abde", 3), ("edba", 0), ("bc", 1), ("cb", 1), ("ef", 1), ("dfa", 0), ("ea", 0)]
        {
            let ids: Vec<String> = commits.chars().map(id).collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            assert_eq!(history.newest(&ids), Some(newest), "{commits}");
        }
        assert_eq!(history.newest(&[]), None);
    }
}
