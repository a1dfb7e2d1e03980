//! A schema for the tests of sockets, and clients of a door that serves it.

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

/// State that a test shares with the resolvers.
#[derive(Clone)]
pub(super) struct Probe {
    /// The number of events made.
    pub(super) made: Arc<AtomicUsize>,
    /// Started resolvers and subscriptions.
    started: Arc<Semaphore>,
    /// Resolvers that may finish.
    released: Arc<Semaphore>,
    /// Dropped subscriptions.
    dropped: Arc<Semaphore>,
}

impl Probe {
    /// Waits until one more resolver or subscription has started.
    pub(super) fn wait_until_started(&self, server: &TestServer) {
        server.runtime.block_on(self.started.acquire()).unwrap().forget();
    }

    /// Waits until one more subscription has been dropped.
    pub(super) async fn wait_until_dropped(&self) {
        self.dropped.acquire().await.unwrap().forget();
    }

    /// Lets a waiting resolver finish.
    pub(super) fn release(&self) {
        self.released.add_permits(1);
    }
}

/// Reports when it is dropped.
struct DropSignal(Probe);

impl Drop for DropSignal {
    fn drop(&mut self) {
        self.0.dropped.add_permits(1);
    }
}

struct Query;
struct Mutation;
struct Subscription;

#[graphql_object]
#[graphql(context = Context)]
impl Query {
    fn hello(context: &Context) -> String {
        context.caller().user().map_or("machine".to_owned(), |user| user.id().to_string())
    }

    fn many(first: i32) -> Vec<i32> {
        (0..first).collect()
    }

    fn panics() -> i32 {
        panic!("the test's panic")
    }
}

#[graphql_object]
#[graphql(context = Context)]
impl Mutation {
    fn double(number: i32) -> i32 {
        number * 2
    }

    /// Finishes when the test releases it.
    async fn waits(context: &Context) -> Result<bool, ApiError> {
        let probe = context.state::<Probe>()?;
        probe.started.add_permits(1);
        probe.released.acquire().await.unwrap().forget();
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
        probe.started.add_permits(1);
        Ok(Box::pin(stream::unfold(DropSignal(probe), |signal| async move {
            std::future::pending::<()>().await;
            Some((Ok(String::new()), signal))
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
        Box::pin(stream::once(async { panic!("the test's panic") }))
    }

    async fn refused(context: &Context) -> Result<Texts, ApiError> {
        context.require("not:granted")?;
        Ok(Box::pin(stream::pending()))
    }
}

pub(super) fn open(set: &[&str]) -> (TestServer, Probe) {
    open_with_clock(Clock::system(), set)
}

pub(super) fn open_with_clock(clock: Clock, set: &[&str]) -> (TestServer, Probe) {
    let none = || Arc::new(Semaphore::new(0));
    let probe = Probe { made: Arc::default(), started: none(), released: none(), dropped: none() };
    let (schema, state) = (RootNode::new(Query, Mutation, Subscription), probe.clone());
    let vestibule = Vestibule::new(schema, internal::schema()).state(|_| Ok(state));
    (TestServer::open_with(vestibule, clock, set), probe)
}

pub(super) fn uninitialized(server: &TestServer) -> Socket {
    Socket::uninitialized(&server.runtime, server.doors().public())
}

pub(super) fn connect_with_token(server: &TestServer, token: &str) -> Socket {
    Socket::connect_with_token(&server.runtime, server.doors().public(), token)
}

pub(super) fn machine(server: &TestServer) -> Socket {
    connect_with_token(server, &server.public_machine_token())
}
