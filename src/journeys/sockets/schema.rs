//! A schema for sockets, and clients of a door that serves it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{Stream, stream};
use juniper::{RootNode, graphql_object, graphql_subscription};
use tokio::sync::Semaphore;
use vestibule::api::{ApiError, Context, internal};
use vestibule::app::Vestibule;
use vestibule::clock::Clock;

use crate::socket::Socket;
use crate::test_server::TestServer;

/// What a test and its resolvers share.
#[derive(Clone)]
pub(super) struct Probe {
    /// How many events were made: a client that does not read must make that stop.
    pub(super) made: Arc<AtomicUsize>,
    /// Resolvers and streams of events that have begun.
    begun: Arc<Semaphore>,
    /// Resolvers that may end.
    free: Arc<Semaphore>,
    /// Streams of events that were let go of.
    ended: Arc<Semaphore>,
}

impl Probe {
    /// Waits until one more has begun.
    pub(super) fn begun(&self, server: &TestServer) {
        server.runtime.block_on(self.begun.acquire()).unwrap().forget();
    }

    /// Waits until one more stream of events was let go of.
    pub(super) async fn ended(&self) {
        self.ended.acquire().await.unwrap().forget();
    }

    /// Lets a resolver that waits end.
    pub(super) fn free(&self) {
        self.free.add_permits(1);
    }
}

/// Tells when it is let go of.
struct DropSignal(Probe);

impl Drop for DropSignal {
    fn drop(&mut self) {
        self.0.ended.add_permits(1);
    }
}

struct Query;
struct Mutation;
struct Subscription;

#[graphql_object]
#[graphql(context = Context)]
impl Query {
    fn hello(context: &Context) -> String {
        context.caller().user().map_or("stranger".to_owned(), |user| user.id().to_string())
    }

    fn many(first: i32) -> Vec<i32> {
        (0..first).collect()
    }

    fn panics() -> i32 {
        panic!("as told")
    }
}

#[graphql_object]
#[graphql(context = Context)]
impl Mutation {
    fn double(number: i32) -> i32 {
        number * 2
    }

    /// Ends when it is let.
    async fn waits(context: &Context) -> Result<bool, ApiError> {
        let probe = context.state::<Probe>()?;
        probe.begun.add_permits(1);
        probe.free.acquire().await.unwrap().forget();
        Ok(true)
    }
}

type Texts = Pin<Box<dyn Stream<Item = Result<String, ApiError>> + Send>>;
type Numbers = Pin<Box<dyn Stream<Item = i32> + Send>>;

#[graphql_subscription]
#[graphql(context = Context)]
impl Subscription {
    async fn count(to: i32) -> Numbers {
        Box::pin(stream::iter(0..to))
    }

    async fn silence(context: &Context) -> Result<Texts, ApiError> {
        let probe = context.state::<Probe>()?.clone();
        probe.begun.add_permits(1);
        Ok(Box::pin(stream::unfold(DropSignal(probe), |held| async move {
            std::future::pending::<()>().await;
            Some((Ok(String::new()), held))
        })))
    }

    async fn flood(context: &Context) -> Result<Texts, ApiError> {
        let made = Arc::clone(&context.state::<Probe>()?.made);
        Ok(Box::pin(stream::repeat_with(move || {
            made.fetch_add(1, Ordering::SeqCst);
            Ok("x".repeat(64 * 1024))
        })))
    }

    async fn panics() -> Numbers {
        Box::pin(stream::once(async { panic!("as told") }))
    }

    async fn refused(context: &Context) -> Result<Texts, ApiError> {
        context.require("nobody:has")?;
        Ok(Box::pin(stream::pending()))
    }
}

pub(super) fn open(set: &[&str]) -> (TestServer, Probe) {
    let none = || Arc::new(Semaphore::new(0));
    let probe = Probe { made: Arc::default(), begun: none(), free: none(), ended: none() };
    let (schema, state) = (RootNode::new(Query, Mutation, Subscription), probe.clone());
    let vestibule = Vestibule::new(schema, internal::schema()).state(|_| Ok(state));
    (TestServer::open_with(vestibule, Clock::system(), set), probe)
}

pub(super) fn silent(server: &TestServer) -> Socket {
    Socket::silent(&server.runtime, server.doors().public())
}

pub(super) fn with(server: &TestServer, token: &str) -> Socket {
    Socket::with(&server.runtime, server.doors().public(), token)
}

pub(super) fn machine(server: &TestServer) -> Socket {
    with(server, &server.public_machine_token())
}
