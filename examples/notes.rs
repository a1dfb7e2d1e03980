//! Your own schemas behind both doors: users write notes and follow them live; machines and staff read them.
//!
//!     cargo run --example notes -- dev
//!
//! It is the whole executable with other schemas: the same commands, configuration, gate, users and dev tenant.

use std::pin::Pin;
use std::process::ExitCode;

use futures_util::{Stream, StreamExt, stream};
use juniper::{EmptyMutation, EmptySubscription, GraphQLObject, ID, RootNode};
use juniper::{FieldError, graphql_object, graphql_subscription};
use tokio::sync::broadcast::{Sender, channel, error::RecvError};
use vestibule::{ApiError, Context, DatabaseSchema, Vestibule, internal, rusqlite};

static SCHEMA: DatabaseSchema = DatabaseSchema::new(&[(
    "V1__notes",
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, author TEXT NOT NULL, text TEXT NOT NULL) STRICT;
     CREATE INDEX notes_by_author ON notes (author, id);",
)]);

#[derive(Debug, Clone, GraphQLObject)]
struct Note {
    id: ID,
    author: ID,
    text: String,
}

/// What the resolvers of both doors share: the subscribers.
struct Notes {
    added: Sender<Note>,
}

/// The latest notes of an author, at most a hundred.
async fn notes_of(context: &Context, author: String) -> Result<Vec<Note>, ApiError> {
    let sql = "SELECT id, author, text FROM notes WHERE author = ?1 ORDER BY id DESC LIMIT 100";
    let note = |row: &rusqlite::Row<'_>| {
        let (id, author): (i64, String) = (row.get(0)?, row.get(1)?);
        Ok(Note { id: id.to_string().into(), author: author.into(), text: row.get(2)? })
    };
    let read = context
        .read(move |db| Ok(db.prepare_cached(sql)?.query_map([author], note)?.collect::<Result<_, _>>()?));
    read.await
}

/// The id of the current user.
fn author(context: &Context) -> Result<String, ApiError> {
    Ok(context.current_user()?.id().to_string())
}

struct Query;

#[graphql_object]
#[graphql(context = Context)]
impl Query {
    /// My notes, the latest first.
    async fn notes(context: &Context) -> Result<Vec<Note>, ApiError> {
        notes_of(context, author(context)?).await
    }
}

struct Mutation;

#[graphql_object]
#[graphql(context = Context)]
impl Mutation {
    /// Writes a note.
    async fn add_note(context: &Context, text: String) -> Result<Note, ApiError> {
        if text.trim().is_empty() || text.chars().count() > 1000 {
            return Err(ApiError::BadInput("A note has 1 to 1000 characters."));
        }
        let author = author(context)?;
        let write = context.write(move |tx| {
            tx.execute("INSERT INTO notes (author, text) VALUES (?1, ?2)", [&author, &text])?;
            let id = tx.last_insert_rowid().to_string();
            Ok(Note { id: id.into(), author: author.into(), text })
        });
        let note = write.await?;
        // It fails when there is no subscriber.
        let _ = context.state::<Notes>()?.added.send(note.clone());
        Ok(note)
    }
}

struct Subscription;

type Added = Pin<Box<dyn Stream<Item = Result<Note, FieldError>> + Send>>;

#[graphql_subscription]
#[graphql(context = Context)]
impl Subscription {
    /// My notes as I write them, on any device.
    async fn note_added(context: &Context) -> Result<Added, ApiError> {
        let (author, added) = (author(context)?, context.state::<Notes>()?.added.subscribe());
        let next = |mut added: tokio::sync::broadcast::Receiver<Note>| async move {
            loop {
                match added.recv().await {
                    Ok(note) => return Some((note, added)),
                    // A slow subscriber misses some; a query returns them all.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        };
        let mine = move |note: Note| std::future::ready((*note.author == author).then_some(Ok(note)));
        Ok(Box::pin(stream::unfold(added, next).filter_map(mine)))
    }
}

struct Staff;

#[graphql_object]
#[graphql(context = Context)]
impl Staff {
    /// The notes of any author. Needs `notes:read`.
    async fn notes(context: &Context, author: ID) -> Result<Vec<Note>, ApiError> {
        context.require("notes:read")?;
        notes_of(context, author.to_string()).await
    }

    /// A user by Auth0 id. The rule that puts the user into the token queries it.
    fn user(context: &Context, auth0_id: String) -> Result<Option<internal::Account>, ApiError> {
        internal::Query::user(context, None, Some(auth0_id), None)
    }
}

/// The notes behind both doors.
pub(crate) fn notes() -> Vestibule {
    let internal = RootNode::new(Staff, EmptyMutation::<Context>::new(), EmptySubscription::<Context>::new());
    Vestibule::new(RootNode::new(Query, Mutation, Subscription), internal)
        .with_name("notes", env!("CARGO_PKG_VERSION"))
        .database("notes.db", &SCHEMA)
        .state(|_| Ok(Notes { added: channel(64).0 }))
        .with_sample_queries("{ notes { text } }", "{ __typename }")
}

fn main() -> ExitCode {
    vestibule::main(notes())
}

/// `cargo test --example notes`
#[cfg(test)]
mod tests {
    use vestibule::testing::{Door, TestApp};

    #[test]
    fn people_read_their_own_notes_only() {
        let app = TestApp::open(super::notes()).unwrap();
        let [ada, grace] =
            ["ada", "grace"].map(|name| app.token(Door::Public, &format!("{name}@example.com")).unwrap());
        app.query(Door::Public, Some(&ada), "mutation { addNote(text: \"Bernoulli\") { id } }").unwrap();
        let notes = |token: &str| app.query(Door::Public, Some(token), "{ notes { text } }").unwrap();
        assert_eq!(notes(&ada)["data"]["notes"][0]["text"], "Bernoulli");
        assert_eq!(notes(&grace)["data"]["notes"].as_array().unwrap().len(), 0);
    }
}
