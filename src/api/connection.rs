//! The types of a Relay connection, for each kind of item.

/// Defines a connection and its edge over [`Nodes`](super::paging::Nodes). The connection needs an async method `count`, and a
/// method `sort_key` of its items.
macro_rules! connection {
    ($(#[$doc:meta])* $connection:ident, $edge:ident, $node:ty, $filter:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $connection {
            pub(super) page: $crate::api::paging::Nodes<$node>,
            pub(super) filter: $filter,
        }

        /// An item of a page.
        #[derive(Debug, Clone, juniper::GraphQLObject)]
        #[graphql(context = Context)]
        pub struct $edge {
            /// Marks the item's place in the list, for `after` and `before`.
            pub cursor: String,
            /// The item.
            pub node: $node,
        }

        impl $crate::api::list::ListItem for $edge {
            const WAITING: &'static [&'static str] = <$node as $crate::api::list::ListItem>::WAITING;
        }

        #[juniper::graphql_object]
        #[graphql(context = Context)]
        impl $connection {
            /// The page's items with their cursors.
            fn edges(&self) -> $crate::api::list::List<'_, $edge> {
                let edge = |node: &$node| $edge {
                    cursor: $crate::api::paging::cursor(self.sort_key(node)),
                    node: node.clone(),
                };
                $crate::api::list::List(self.page.nodes.iter().map(edge).collect())
            }

            /// The page's items.
            fn nodes(&self) -> $crate::api::list::List<'_, $node> {
                $crate::api::list::List((&self.page.nodes).into())
            }

            /// The position of the page in the list.
            fn page_info(&self) -> &$crate::api::paging::PageInfo {
                &self.page.info
            }

            /// Number of items in the whole list. Scans all of them, so select it only if you show it. Null, with an error,
            /// when the scan takes too long.
            async fn total_count(&self, context: &Context) -> Result<Option<i32>, ApiError> {
                Ok(Some(i32::try_from(self.count(context).await?).unwrap_or(i32::MAX)))
            }
        }
    };
}
pub(super) use connection;
