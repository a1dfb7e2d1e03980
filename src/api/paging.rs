//! Pages of lists with `first`, `after`, `last`, `before`: Relay connections (<https://relay.dev/graphql/connections.htm>).
//!
//! A cursor is the sort key of an item in base64url. It is opaque to clients, and valid for one list in one order.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use juniper::GraphQLObject;

use super::error::ApiError;
use crate::store::{Page, PageArgs};

/// The longest page.
pub const MAX_PAGE_SIZE: i32 = 100;
/// The page size without `first` and `last`.
pub const DEFAULT_PAGE_SIZE: i32 = 50;

/// The arguments of a connection: a number of items from one end, and cursors that they lie between.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "Relay specifies these arguments")]
pub struct ConnectionArgs {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

/// The position of a page in its list.
#[derive(Debug, Clone, Default, PartialEq, Eq, GraphQLObject)]
pub struct PageInfo {
    /// Whether items follow the page.
    pub has_next_page: bool,
    /// Whether items precede the page.
    pub has_previous_page: bool,
    /// The cursor of the first edge.
    pub start_cursor: Option<String>,
    /// The cursor of the last edge.
    pub end_cursor: Option<String>,
}

/// A page of a connection.
#[derive(Debug, Clone)]
pub struct Nodes<T> {
    /// The items, in the list's order.
    pub nodes: Vec<T>,
    /// The position of the page in its list.
    pub info: PageInfo,
}

impl ConnectionArgs {
    /// The arguments for the store. `read` parses the sort key in a cursor. Refuses both `first` and `last`, a page size out
    /// of bounds, and a cursor of another list or order.
    pub fn page_args<K>(&self, read: impl Fn(&str) -> Option<K>) -> Result<PageArgs<K>, ApiError> {
        let (size, from_end) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(ApiError::BadInput("Give first or last, not both.")),
            (first, None) => (first.unwrap_or(DEFAULT_PAGE_SIZE), false),
            (None, Some(last)) => (last, true),
        };
        if !(1..=MAX_PAGE_SIZE).contains(&size) {
            return Err(ApiError::BadInput(if from_end {
                "The argument last must be 1 to 100."
            } else {
                "The argument first must be 1 to 100."
            }));
        }
        let key = |cursor: &Option<String>, error| {
            let Some(cursor) = cursor else { return Ok(None) };
            let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            text.and_then(|text| read(&text)).map(Some).ok_or(ApiError::BadInput(error))
        };
        Ok(PageArgs {
            after: key(&self.after, "The argument after is not a cursor of this list in this order.")?,
            before: key(&self.before, "The argument before is not a cursor of this list in this order.")?,
            limit: usize::try_from(size).unwrap_or_default(),
            from_end,
        })
    }
}

/// The cursor of an item with this sort key.
pub fn cursor(sort_key: String) -> String {
    URL_SAFE_NO_PAD.encode(sort_key)
}

impl<T> Nodes<T> {
    /// The page that the store returned for `args`. `write` writes the sort key of an item.
    pub fn new(page: Page<T>, args: &ConnectionArgs, write: impl Fn(&T) -> String) -> Self {
        let Page { items: nodes, more } = page;
        let cursor = |node: Option<&T>| node.map(|node| cursor(write(node)));
        let from_end = args.last.is_some();
        // A cursor's own item lies beyond the cursor.
        let info = PageInfo {
            has_next_page: if from_end { args.before.is_some() } else { more },
            has_previous_page: if from_end { more } else { args.after.is_some() },
            start_cursor: cursor(nodes.first()),
            end_cursor: cursor(nodes.last()),
        };
        Self { nodes, info }
    }
}

/// Writes the sort key of an item that has a number.
pub fn write_number(kind: &str, number: i64) -> String {
    format!("{kind}:{number}")
}

/// Reads [`write_number`] back. `None` for a number of another kind.
pub fn read_number(kind: &str, key: &str) -> Option<i64> {
    key.strip_prefix(kind)?.strip_prefix(':')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(first: Option<i32>, last: Option<i32>) -> ConnectionArgs {
        ConnectionArgs { first, last, ..ConnectionArgs::default() }
    }

    fn read(key: &str) -> Option<i64> {
        read_number("line", key)
    }

    #[test]
    fn a_page_has_1_to_100_items_from_one_end() {
        assert_eq!(args(None, None).page_args(read).unwrap().limit, 50);
        assert!(args(None, Some(100)).page_args(read).unwrap().from_end);
        for bad in [
            args(Some(1), Some(1)),
            args(Some(0), None),
            args(Some(101), None),
            args(None, Some(-1)),
            ConnectionArgs { after: Some("x".into()), ..ConnectionArgs::default() },
        ] {
            assert!(matches!(bad.page_args(read), Err(ApiError::BadInput(_))), "{bad:?}");
        }
    }

    #[test]
    fn page_info_covers_both_directions() {
        let info = |args: &ConnectionArgs, more| {
            let page = Page { items: vec![7_i64, 8], more };
            Nodes::new(page, args, |line| write_number("line", *line)).info
        };
        let after = ConnectionArgs { first: Some(2), after: Some("x".into()), ..ConnectionArgs::default() };
        let forward = info(&after, false);
        assert_eq!((forward.has_previous_page, forward.has_next_page), (true, false));
        assert!(forward.start_cursor.is_some() && forward.start_cursor != forward.end_cursor);
        let backward = info(&args(None, Some(2)), true);
        assert_eq!((backward.has_previous_page, backward.has_next_page), (true, false));
    }

    #[test]
    fn a_cursor_reads_back_in_its_own_list_only() {
        let cursor = write_number("line", -4);
        assert_eq!((read_number("line", &cursor), read_number("deployment", &cursor)), (Some(-4), None));
    }
}
