//! Commit ids, and the names of branches, files and folders, checked before anything is done with them.

use std::fmt;
use std::str::FromStr;

/// The longest name of a file or folder.
const NAME_MAX: usize = 200;

/// The id of a commit: 40 or 64 lower-case hexadecimal digits, not all zero.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitId(String);

/// The text is not a [`CommitId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a commit id: expected 40 or 64 lower-case hexadecimal digits")]
pub struct ParseCommitIdError;

impl CommitId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl FromStr for CommitId {
    type Err = ParseCommitIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_id = matches!(text.len(), 40 | 64) && text.bytes().all(is_hex) && !is_zero(text);
        if is_id { Ok(Self(text.to_owned())) } else { Err(ParseCommitIdError) }
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id that a push has as `after` when it deletes a branch.
pub(super) fn is_zero(id: &str) -> bool {
    matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte == b'0')
}

/// The rules of `git check-ref-format --branch`, and at most 255 bytes.
pub(super) fn is_branch(name: &str) -> bool {
    let is_char = |c: char| !c.is_control() && !matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    (1..=255).contains(&name.len())
        && !name.starts_with('-')
        && !name.ends_with('.')
        && name != "@"
        && !name.contains("..")
        && !name.contains("@{")
        && name.chars().all(is_char)
        && name.split('/').all(is_part)
}

/// Whether a part of a path leads nowhere else, on any system: not `..`, and nothing that git keeps its own files in.
pub(super) fn is_name(part: &str) -> bool {
    let is_char = |c: char| !c.is_control() && !matches!(c, '\\' | ':');
    (1..=NAME_MAX).contains(&part.len())
        && part != "."
        && part != ".."
        && !part.eq_ignore_ascii_case(".git")
        && part.chars().all(is_char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_lower_case_ids_are_commits() {
        for good in ["0123456789abcdef0123456789abcdef01234567".to_owned(), "a1".repeat(32)] {
            assert_eq!(good.parse::<CommitId>().unwrap().as_str(), good);
        }
        let long = "a".repeat(41);
        for bad in [
            "",
            "HEAD",
            "0123456",
            "0123456789ABCDEF0123456789abcdef01234567",
            "--upload-pack=touch/tmp/x;0123456789abcd",
            "0123456789abcdef0123456789abcdef0123456\n",
            "0000000000000000000000000000000000000000",
            &long,
        ] {
            assert!(bad.parse::<CommitId>().is_err(), "{bad:?}");
        }
        assert!(is_zero(&"0".repeat(40)) && is_zero(&"0".repeat(64)) && !is_zero("0"));
    }

    #[test]
    fn branches_are_what_git_accepts() {
        for good in ["main", "release/2026-11", "ada@work", "v1.0", "größe"] {
            assert!(is_branch(good), "{good}");
        }
        for bad in [
            "", "-main", "a..b", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a@{0}", "@", ".a",
            "a/.b", "a//b", "/a", "a/", "a.lock", "a.lock/b", "a.", "a\nb", "a\0b",
        ] {
            assert!(!is_branch(bad), "{bad:?}");
        }
        assert!(!is_branch(&"a".repeat(256)));
    }
}
