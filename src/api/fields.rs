//! The fields that an operation selects, so that only columns that it needs are read.

use std::collections::HashSet;
use std::sync::Arc;

/// The names of all fields that an operation selects, of any type, on any level and in fragments. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fields(Arc<HashSet<String>>);

impl Fields {
    /// Whether the column of this name may be selected: `given_name` as `givenName`.
    pub(super) fn have_column(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

impl<'a> FromIterator<&'a str> for Fields {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        Self(Arc::new(names.into_iter().map(snake_case).collect()))
    }
}

fn snake_case(name: &str) -> String {
    name.chars().fold(String::with_capacity(name.len() + 2), |mut snake, char| {
        if char.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(char.to_ascii_lowercase());
        snake
    })
}
