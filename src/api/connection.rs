//! Connections: pages of a list with `first`, `after`, `last`, `before`, by the Relay cursor specification
//! (<https://relay.dev/graphql/connections.htm>).
//!
//! A cursor is where an item stands in its list, in base64url: opaque to clients, and good for as long as the list
//! has the same order.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use juniper::GraphQLObject;

use super::ApiError;
use crate::store::{Page, PageArgs, SortKey, UserCursor, UserOrder};

/// The longest page.
pub const PAGE_MAX: i32 = 100;
/// The length of a page when nobody says.
pub const PAGE: i32 = 50;

/// The arguments of a connection, as clients write them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Paging {
    /// So many from the beginning.
    pub first: Option<i32>,
    /// Behind this cursor.
    pub after: Option<String>,
    /// So many from the end.
    pub last: Option<i32>,
    /// In front of this cursor.
    pub before: Option<String>,
}

/// Where an item stands in a list of some kind.
pub trait Cursor: Sized {
    /// As text, before it is made opaque.
    fn write(&self) -> String;
    /// Reads [`Cursor::write`] back.
    fn read(text: &str) -> Option<Self>;
}

/// Where a page stands in its list.
#[derive(Debug, Clone, Default, PartialEq, Eq, GraphQLObject)]
pub struct PageInfo {
    /// Whether more follow.
    pub has_next_page: bool,
    /// Whether there are some before.
    pub has_previous_page: bool,
    /// The cursor of the first edge.
    pub start_cursor: Option<String>,
    /// The cursor of the last edge.
    pub end_cursor: Option<String>,
}

/// A page: its items with their cursors, and where it stands.
#[derive(Debug, Clone)]
pub struct Edges<T> {
    /// Cursors and items, in the list's order.
    pub edges: Vec<(String, T)>,
    /// Where the page stands in its list.
    pub info: PageInfo,
}

impl Paging {
    /// What to ask the store for.
    ///
    /// # Errors
    /// [`ApiError::BadInput`]: a page of no length or too long, one from both ends, a cursor of another list.
    pub fn slice<P: Cursor>(&self) -> Result<PageArgs<P>, ApiError> {
        let (wanted, from_end) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(ApiError::BadInput("Give first or last, not both.")),
            (first, None) => (first.unwrap_or(PAGE), false),
            (None, Some(last)) => (last, true),
        };
        if !(1..=PAGE_MAX).contains(&wanted) {
            return Err(ApiError::BadInput(if from_end {
                "The argument last goes from 1 to 100."
            } else {
                "The argument first goes from 1 to 100."
            }));
        }
        let (after, before) = (
            place(self.after.as_deref(), "The argument after is no cursor of this list.")?,
            place(self.before.as_deref(), "The argument before is no cursor of this list.")?,
        );
        Ok(PageArgs { after, before, limit: usize::try_from(wanted).unwrap_or_default(), from_end })
    }
}

impl<T> Edges<T> {
    /// From what the store gave for `paging`; `place` tells where an item stands.
    pub fn new<P: Cursor>(part: Page<T>, paging: &Paging, place: impl Fn(&T) -> P) -> Self {
        let edges: Vec<_> =
            part.items.into_iter().map(|item| (URL_SAFE_NO_PAD.encode(place(&item).write()), item)).collect();
        let cursor = |edge: Option<&(String, T)>| edge.map(|(cursor, _)| cursor.clone());
        let from_end = paging.last.is_some();
        // Beyond a cursor lies at least the item it was taken from.
        let info = PageInfo {
            has_next_page: if from_end { paging.before.is_some() } else { part.more },
            has_previous_page: if from_end { part.more } else { paging.after.is_some() },
            start_cursor: cursor(edges.first()),
            end_cursor: cursor(edges.last()),
        };
        Self { edges, info }
    }
}

fn place<P: Cursor>(cursor: Option<&str>, otherwise: &'static str) -> Result<Option<P>, ApiError> {
    let Some(cursor) = cursor else { return Ok(None) };
    let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let place = text.and_then(|text| P::read(&text)).ok_or(ApiError::BadInput(otherwise))?;
    Ok(Some(place))
}

/// A place among users, with the order it is a place in: another order has other places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserListCursor(pub UserOrder, pub UserCursor);

impl Cursor for UserListCursor {
    fn write(&self) -> String {
        let Self(order, UserCursor { by, id }) = self;
        match by {
            SortKey::Moment(millis) => format!("{}:{id}:{millis}", word(*order)),
            SortKey::Text(text) => format!("{}:{id}:{text}", word(*order)),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (written, id, by) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        let order = ORDERS.into_iter().find(|order| word(*order) == written)?;
        let by = match order {
            UserOrder::Created | UserOrder::Updated => SortKey::Moment(by.parse().ok()?),
            UserOrder::Email | UserOrder::Name => SortKey::Text(by.to_owned()),
        };
        Some(Self(order, UserCursor { by, id }))
    }
}

/// A line of the audit trail, by its number.
impl Cursor for i64 {
    fn write(&self) -> String {
        format!("line:{self}")
    }

    fn read(text: &str) -> Option<Self> {
        text.strip_prefix("line:")?.parse().ok()
    }
}

const ORDERS: [UserOrder; 4] = [UserOrder::Created, UserOrder::Updated, UserOrder::Email, UserOrder::Name];

fn word(order: UserOrder) -> &'static str {
    match order {
        UserOrder::Created => "created",
        UserOrder::Updated => "updated",
        UserOrder::Email => "email",
        UserOrder::Name => "name",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(first: Option<i32>, last: Option<i32>) -> Paging {
        Paging { first, last, ..Paging::default() }
    }

    #[test]
    fn a_page_has_one_end_and_a_length() {
        assert_eq!(paging(None, None).slice::<i64>().unwrap().limit, 50);
        assert!(paging(None, Some(3)).slice::<i64>().unwrap().from_end);
        for bad in [
            paging(Some(1), Some(1)),
            paging(Some(0), None),
            paging(Some(101), None),
            paging(None, Some(-1)),
            Paging { after: Some("x".into()), ..Paging::default() },
        ] {
            assert!(matches!(bad.slice::<i64>(), Err(ApiError::BadInput(_))), "{bad:?}");
        }
    }

    #[test]
    fn cursors_lead_back_to_their_places_and_to_no_other_list() {
        let id = "0198c0de-0000-7000-8000-000000000001".parse().unwrap();
        for place in [
            UserListCursor(UserOrder::Created, UserCursor { by: SortKey::Moment(-5), id }),
            UserListCursor(
                UserOrder::Name,
                UserCursor { by: SortKey::Text("Ada: the \u{1f451}".into()), id },
            ),
            UserListCursor(UserOrder::Email, UserCursor { by: SortKey::Text(String::new()), id }),
        ] {
            assert_eq!(UserListCursor::read(&place.write()), Some(place.clone()));
            assert_eq!(i64::read(&place.write()), None);
        }
        for bad in ["line:4", "created:x:1", "updated:0198c0de-0000-7000-8000-000000000001:now", "email"] {
            assert_eq!(UserListCursor::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn page_info_tells_of_both_directions() {
        let part = |more| Page { items: vec![7_i64, 8], more };
        let page = |paging: &Paging, more| Edges::new(part(more), paging, |line| *line).info;
        let forward = page(&Paging { first: Some(2), after: Some("x".into()), ..Paging::default() }, false);
        assert_eq!((forward.has_previous_page, forward.has_next_page), (true, false));
        assert!(forward.start_cursor.is_some() && forward.start_cursor != forward.end_cursor);
        let backward = page(&paging(None, Some(2)), true);
        assert_eq!((backward.has_previous_page, backward.has_next_page), (true, false));
    }
}
